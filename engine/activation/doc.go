// Package activation keeps, for each tenant, the program that decides: it loads
// the tenant's bundle, compiles it, has the evaluator prepare it, and swaps it
// in behind a pointer. Requests in flight finish on the program they began
// with.
//
// What does not load, compile or prepare never becomes active: the program
// before it stays, the failure stands in Status and in the log until an
// activation succeeds, and the next change tries again.
//
// What is checked is what package bundle checks of files and package rego of
// policy, the library included, and that the evaluator takes it. Two things are
// not: the bundle's own tests are not run, and signatures are not looked at.
// Whoever may write to the place that a bundle is loaded from decides what is
// active there; run the tests (verdict test) before that.
//
// The package knows no directory and no request. Start with Set.Activate, then
// Set.Watch.
package activation
