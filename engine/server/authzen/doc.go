// Package authzen serves decisions over HTTP as the OpenID Authorization API 1.0
// (AuthZEN) describes: the Access Evaluation API (section 6), the Access
// Evaluations API (section 7), the Search APIs (section 8), the metadata of the
// decision point (section 9) and the HTTPS JSON binding (section 10.1), for the
// tenant "default" at the root and for every tenant below /tenants/{tenant}. Beside
// these it answers /v1/plan/resources, with filters of rows, /healthz and /readyz.
// Paths are taken as they stand: nothing is redirected.
//
// It must not know how a decision is made, and it does not terminate TLS.
//
// # Callers
//
// Who calls, and what they may do, is asked before a body is read (section 11.2):
// 401 with WWW-Authenticate is the answer to those who do not show who they are, or
// show what does not hold, and 403 to those who may not do this in the tenant,
// whether there is one of that name or not. Metadata and health are anyone's to ask.
//
// # Requests
//
// JSON is read as RFC 8259 and I-JSON (RFC 7493) have it: UTF-8, no name twice
// in an object, numbers in the range of a double. Numbers stay exact. Unknown
// members are dropped (section 10.1.1), and a member that is null counts as
// left out.
//
// Almost all bodies have nothing in them that is left out, escaped or wrong, and are
// read as they stand; the others, by a decoder that knows all of this.
//
// The X-Request-ID of a request is on its answer, whatever the answer is, as it
// was sent; one longer than a kibibyte is refused. No answer has one by itself, and
// none has what net/http says to a request that it cannot read.
//
// # Searches
//
// A search is paged by page.limit, up to 1,000, and page.token; page.properties
// and whatever else is in a page object is dropped. Without a limit, or with 0, a
// page has up to 100 results: one that may hold nothing would lead nowhere. Pages
// may be short, even empty, and have a next one. With a token, the limit may be
// left out; whatever else differs from the request before is refused with 400, and
// with 409 if another policy has become active since. An answer has a page object
// where the request has one, and where there is a next page. Its context holds the
// revisions, and how candidates were found, index or scan. A candidate that cannot
// be decided fails the search, so that what is found is all there is.
//
// # Metadata
//
// A decision point's identifier is Options.PublicURL, and /tenants/{tenant} behind
// it for a tenant. Its metadata is where section 9.2 has it: the well-known string
// stands between the host and the path. A URL with a path is served with it and
// without it, since a proxy may take it away: https://host/authz has its
// metadata at /.well-known/authzen-configuration/authz and without /authz, and
// its endpoints at /authz/access/v1/… and /access/v1/…. Nothing in metadata comes
// from the request.
//
// # Limits
//
// A body may have the bytes of the decider's input limit and 64 KiB for what is
// around the input; one of a batch 16 times as many, up to 16 MiB. A larger one
// is refused with 413. The decider counts the characters of the input, so one
// that is full of escapes may reach the body's limit first. A batch holds at most
// pdp.MaxBatch evaluations, and a body at most a million values. Requests whose
// bodies would be larger than four of the largest batches together wait for each
// other, but for bodies of up to 4 KiB, which wait for none. So do bodies of more than
// 32 KiB while they come, beyond 16 of the largest batches together.
//
// A request that has not been decided after Options.MaxTime is given up and
// answered with 504. AuthZEN has no word for a revision of the directory, so no
// request waits for one, and a server that closes finishes those in flight.
//
// # Responses
//
// A decision's context holds decision_id, policy_revision and
// directory_revision; reasons and obligations where there are some; and error
// where the policy could not be evaluated or an item of a batch not be decided.
// Options.LeaveOut leaves out any of them but the error; without revisions the answer
// to a search has no context.
// What is internal about an error stays in the log of who decides. Where
// there is no decision at all, the body is {"error": {status, kind, message,
// violations}}, with the codes of engine/server/status.
//
// Start with New, then evaluation.go and decode.go.
package authzen
