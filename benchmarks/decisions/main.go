// Command decisions prints what a decision costs, in time and allocations, by
// Verdict and by plain OPA, beside each other:
//
//	go run ./benchmarks/decisions
//
// The command in benchmarks/cedar prints the same table with Cedar in it. Both
// first make sure that all agree on every decision. Package table says how it
// is measured.
package main

import (
	"context"
	"os"

	"github.com/verdictpdp/verdict/benchmarks/engines"
	"github.com/verdictpdp/verdict/benchmarks/table"
)

func main() {
	os.Exit(table.Main(context.Background(), os.Args, os.Stdout, os.Stderr, engines.All()))
}
