// Package forwardauth answers proxies that ask over HTTP whether a request may go on:
// nginx (auth_request) at /proxy/nginx, and Caddy (forward_auth) and Traefik
// (ForwardAuth) at /proxy/forwarded; for a tenant other than "default" the same below
// /tenants/{tenant}. Any other proxy that can tell what one of them tells may ask too.
//
// It turns what a proxy tells in headers into a mapping.Message and an Answer into a
// response, and knows neither what a request means nor how it is decided.
//
// # What is trusted
//
// A proxy passes the client's headers on, and among them tells of the request:
//
//	/proxy/nginx      X-Original-Method, X-Original-URI, X-Original-Host, X-Original-Scheme
//	/proxy/forwarded  X-Forwarded-Method, X-Forwarded-Uri, X-Forwarded-Host, X-Forwarded-Proto
//
// Nothing tells which of them are the proxy's. So all four must be there, each once:
// a proxy that leaves one to the client is found out by the first request, for which
// no client sends it. And the endpoints must be out of reach for clients, who could
// tell what they like; that does them no good as such, since an answer lets nobody
// through, but it shows who may do what.
//
// Where the request comes from and whose certificate it was sent with is taken from
// the headers that the options name, and from none if they name none. Such a header
// must be one that the proxy always sets: a client can send it. The address has to be
// there; the principal may be missing, for nginx sends no header that it sets to
// nothing.
//
// Who the proxy is, it shows by its connection, or by CallerHeader, which is no part of
// the request.
//
// # Answers
//
// 200 lets the request go on, and has the headers that the proxy is to copy to it.
// Options.PolicyHeaders that the policy does not set come without a value, so that
// what is copied takes the place of what a client sent. Several values of one header
// become one, with commas between. Everything else is a denial
// with the headers and the body for the client.
//
// nginx takes nothing but 401 and 403 for a denial, and all else for a failure, to
// which it answers 500 by itself. At /proxy/nginx a denial of another status below
// 500 is therefore 403, with the status in X-Verdict-Status.
//
// The request's body is not looked at, nor is its method.
//
// Start with New.
package forwardauth
