// Package benchmarks measures what users of Verdict wait for: decisions, beside
// what else could make them, loading a directory, and reading one, small and
// large.
//
//	go run ./benchmarks/decisions
//	go -C benchmarks/cedar run .
//
// print what decisions cost, in one table; the second with Cedar in it (a few
// minutes). Package scenario says what is decided, package engines by whom, and
// package table how it is measured.
//
//	go test -run '^$' -bench . -benchtime 2s ./benchmarks
//
// runs all Go benchmarks (some minutes more; a directory of a million users is
// loaded on the way). Each reports what it is about as a metric of its own:
// users/s, µs/decision, the ratio between two sizes in one run. Absolute figures
// depend on the machine; ratios within a run are what to compare.
//
//	go run ./benchmarks/soak -time 1h
//
// runs the real server under all that happens to one, at once, and fails where it
// does not come out as it went in.
//
// No benchmark fails because a machine is slow. The tests hold that the
// scenarios mean something.
package benchmarks
