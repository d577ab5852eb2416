// Package pep is the policy enforcement point of an application in Go: it stands
// before what the application does, asks for a decision, and refuses what is not
// allowed. There are interceptors for gRPC servers and clients, a middleware for
// net/http, and Enforce for everything else.
//
// The application says what is asked, by functions that make an authz.Request of
// a call. The package asks, and lets the call go ahead only when
//
//   - there is such a function for it, and it makes a request;
//   - there is a decision, without an error, and it allows;
//   - the application has declared every obligation that comes with it
//     (WithObligations). One that is not understood makes an allow a deny
//     (XACML 3.0, section 7.18).
//
// Everything else is refused: with PERMISSION_DENIED or 403 where the answer is
// no, and with UNAVAILABLE or 503 where there is no answer at the moment. No option
// lets a call go ahead because something failed.
//
// A handler finds the decision that let it run, with the obligations that it must
// meet, by DecisionFrom.
//
// The package knows neither the wire nor where decisions come from: a Checker is
// one method, which *client.Client has. Start with New.
package pep
