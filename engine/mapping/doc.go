// Package mapping turns what a proxy says about an HTTP request into a request
// that a policy decides, and what was decided into what the proxy is told. It is
// what Envoy's ext_authz and the forward authentication of nginx, Caddy and Traefik
// have in common.
//
// It must not know any of their protocols. What a request means (who asks, to do
// what, with which resource) is not known here either, but a rule of the tenant's
// bundle: data.verdict.http.request, of which bundles/lib ships a default. Its
// package says what it is given and what it yields; Document makes the one and
// requestOf reads the other.
//
// # What is refused
//
// The path that is matched must be the one that the backend serves. Servers differ
// in what they make of odd paths, so a path that two of them may read differently is
// refused with 400, and never guessed at:
//
//   - a slash or a backslash that is percent-encoded (%2F, %5C), and a backslash
//   - a segment that ends with a dot, which all segments of dots alone do, in any
//     encoding (.., %2e%2e), or that begins or ends with a space
//   - two slashes in a row; one slash at the path's end is left out
//   - a semicolon, encoded or not: matrix parameters (;a=b) and ..;/
//   - what is encoded twice (%252e) or in IIS's way (%u002f), and a percent sign
//     that encodes nothing
//   - what is no UTF-8 when it is decoded, overlong forms (%c0%af) above all, and
//     text outside ASCII that is not encoded
//   - control characters, NUL and ends of lines among them, and Unicode's invisible
//     ones, encoded or not; text that has another spelling (normal form C), and
//     characters that some servers take for / \ . ; % ? or # (full-width ones)
//   - an encoded ? or #, and a fragment
//   - a target that does not begin with a slash: absolute, for CONNECT, or *
//   - a header or a parameter of the query that would have the backend read another
//     method or path (X-HTTP-Method-Override, X-Original-URL, _method and their like)
//   - a header's name with anything but letters, digits and hyphens: CGI, WSGI and PHP
//     take X_User for X-User, which would be a way around whoever sets that
//   - a host with a dot too many, at its start or end or within
//   - a query with a semicolon, a NUL, a malformed encoding or no UTF-8
//   - more than the limits: MaxPathBytes, MaxQueryBytes, MaxSegments,
//     MaxParameters, MaxHeaders, MaxHeaderBytes
//
// Letters that are encoded without need (%61) and hexadecimal digits of either case
// mean the same to all, and are read as such. Letters keep their case: on a backend
// that does not tell Admin from admin, the policy has to know. So do the short names
// and streams of files on Windows. Bodies are not looked at: a backend that takes its
// method from a form's _method must have that turned off.
//
// # What is not decided is denied
//
// Without a subject the answer is 401. Without an action or a resource, with an error
// in the rule or in the policy, with an obligation that a proxy cannot meet, it is
// 403; while the tenant has no policy, 503. No answer but that of an allow has a
// status below 300.
//
// # Obligations
//
// A policy tells the proxy more by obligations.http, an object with
//
//	headers  on an allow, what the proxy sets on the request to the backend; on a
//	         deny, on the response. A value is a text or a list of them
//	status   of a deny, from 300 to 599; left out, 403
//	body     of a deny: a text, or anything else as JSON
//
// An allow with any other obligation is denied, since a proxy cannot meet it (XACML
// 3.0, section 7.18). A policy that wants the backend to mask a field says so in a
// header.
//
// Start with Mapper.Answer, then target.go.
package mapping
