// Package activation keeps, for each tenant, the program that decides: it loads
// the tenant's bundle, compiles it, has the evaluator prepare it, and swaps it
// in behind a pointer. Requests in flight finish on the program they began
// with.
//
// What does not load, compile or prepare never becomes active: the program
// before it stays, the failure stands in Status and in the log until an
// activation succeeds, and the next change tries again.
//
// The package knows no directory and no request. Start with Set.Activate, then
// Set.Watch.
package activation
