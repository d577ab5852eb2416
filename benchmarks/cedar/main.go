// Command cedar prints the table of the command decisions with cedar-go in it,
// for the rows whose policy can be written for Cedar as well:
//
//	go -C benchmarks/cedar run .
//
// It takes the same flags. It is a module of its own, so that Verdict does not
// depend on cedar-go.
package main

import (
	"context"
	"os"
	"slices"

	"github.com/verdictpdp/verdict/benchmarks/engines"
	"github.com/verdictpdp/verdict/benchmarks/table"
)

func main() {
	// Verdict's own stay last: the others are compared with the last.
	all := slices.Concat([]engines.Engine{engine{}}, engines.All())
	os.Exit(table.Main(context.Background(), os.Args, os.Stdout, os.Stderr, all))
}
