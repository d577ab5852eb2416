// Package table measures engines on scenarios, beside each other in one
// process, and prints what it found.
//
// # How it is measured
//
// Time is the processor time of the whole process, in user mode and in the
// kernel, while one goroutine decides: what a decision costs, whatever else the
// machine does, and not how long somebody waits for it. The machine's speed
// still drifts, so engines take short turns, in another order each round. A
// figure is the median of the rounds, a ratio the median of the ratios within a
// round.
//
// No turn is interrupted by the garbage collector, which would visit one turn
// in some and charge it for the others. Instead each decision is charged for
// its garbage: a collection's processor time, measured in the same process,
// times the bytes that the decision allocates, over the bytes that Go lets a
// program allocate between two collections (GOGC=100).
//
// Before any of that, every engine answers every question, and all must agree
// with each other and with the answer that follows from how the world was made.
//
// The package knows engines by their interface alone. Start with Main.
package table
