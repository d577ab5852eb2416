// Package activation keeps, for each tenant, the program that decides: it loads
// the tenant's bundle, compiles it, has an evaluator prepare it, and swaps it in
// behind a pointer. Requests in flight finish on the program they began with.
//
// Evaluators stand in an order. What the first cannot take runs on the next,
// with the same answers; Status and the log say so, and why.
//
// What does not load, compile or prepare, or whose own tests fail, never becomes
// active: the program before it stays, the failure stands in Status and in the
// log until an activation succeeds, and the next change, or else the next minute,
// tries again.
//
// What is checked is what package bundle checks of files and package rego of
// policy, the library included, that one of the evaluators takes it, that the rules
// which say what is wrong with it say nothing, and that the tests in the bundle hold,
// where the tenant has them run. Signatures are not
// looked at. Whoever may write to the place that a bundle is loaded from decides
// what is active there.
//
// What becomes active, and what is refused for another reason than before, is told to
// whoever records it.
//
// The package knows no directory and no request. Start with Set.Activate, then
// Set.Watch.
package activation
