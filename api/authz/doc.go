// Package authz holds the nouns of Verdict: what a caller asks (Request), what
// it is told (Decision), what the directory keeps (Entity, Grant) and how
// things fail (Error).
//
// The words are those of AuthZEN 1.0, NIST RBAC and XACML. Properties are what
// a caller claims in a request; attributes are what the directory knows.
//
// The package imports nothing but the standard library and does no I/O, so
// that every other package, and every edge with its own wire form, can speak
// it. Wire types stay at the edges; values that policies compute with stay in
// the evaluators.
//
// Start with Request and Decision, then EntityRef.
package authz
