// Package benchmarks measures what users of Verdict wait for: loading a
// directory, reading an entity of it, and deciding on it, small and large.
//
//	go test -run '^$' -bench . -benchtime 2s ./benchmarks
//
// runs them all (some minutes; a directory of a million users is loaded on the
// way). Each reports what it is about as a metric of its own: users/s,
// µs/decision, the ratio between two sizes in one run. Absolute figures depend
// on the machine; ratios within a run are what to compare.
//
// Nothing here is a test: no benchmark fails because a machine is slow.
package benchmarks
