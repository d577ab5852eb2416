// Package suite runs the Rego tests of a bundle, on OPA's own test runner and
// under the rules of a decision: built-in functions that are off stay off,
// graphs are walked by the same functions, and a built-in's runtime error is an
// error of the test that met it.
//
// The documents under data come from a storage.Store that the caller gives; so
// tests read a directory without the package knowing one. Time is the clock's
// unless a test replaces time.now_ns.
//
// Start with Run.
package suite
