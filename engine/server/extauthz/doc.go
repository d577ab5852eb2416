// Package extauthz answers Envoy's external authorization over gRPC: the service
// envoy.service.auth.v3.Authorization, for the filter envoy.filters.http.ext_authz
// and whatever else speaks it, such as Istio and Envoy Gateway.
//
// It turns a CheckRequest into a mapping.Message and an Answer back, and knows
// neither what a request means nor how it is decided. It trusts whoever may call, as
// the other services do: an Envoy, which tells method, path and headers as it
// forwards them, and the identity of a certificate that it has verified.
//
// # The tenant
//
// A check is of the tenant that its context extension verdict.tenant names, which
// Envoy's configuration of a virtual host or a route sets and no client can; or else
// of the one that Options.Hosts has for its host; or else of Options.Tenant. A name
// that is no tenant's is a denial.
//
// # Denials and errors
//
// Whatever can be answered is, with a denial if need be. An error of the call is left
// to one whose time is up, and to a message that cannot be read: what Envoy does then
// is up to its failure_mode_allow, which is to stay false.
//
// # Headers
//
// The headers of an allow take the place of those that the client sent. A header that
// the policy sets on some requests only is one that a client could send on others:
// Options.PolicyHeaders names those that are the policy's alone, which are taken away
// where it does not set them, or to nothing. Several values of one header become one,
// with commas between, on an allow.
//
// The body is not looked at, so with_request_body may stay off.
//
// Start with Server.check, then question.go.
package extauthz
