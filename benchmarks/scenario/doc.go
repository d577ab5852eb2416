// Package scenario holds what decisions are measured on: policies, the worlds
// that they decide about, and questions with the answers to expect.
//
// A world is made from its size alone, so that it is the same on every machine.
// Who asks for what, and whether it is allowed, follows from how the world was
// made and not from an evaluator: so the answers hold all evaluators to
// something besides each other.
//
// The policies stand in the directory policies, those of Cedar beside those in
// Rego that say the same. The package knows no evaluator. Start with All.
package scenario
