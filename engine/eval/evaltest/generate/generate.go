// Package generate writes policies, and what to ask of them, by chance, for
// holding evaluators together that nobody has written cases for.
//
// A case has a module of package authz with rules of every kind, one of package
// helper that the first uses, static data, a directory, requests and queries. It
// is the same for the same bytes or seed. Cases are small, so that one is
// evaluated in well under a millisecond, and their values come from few, so that
// equalities hold, rules overlap, and conflicts and errors happen.
//
// Terms are written by the type that they are likely to have, and refer to
// documents whose names tell the types of their values, such as data.levels with
// its numbers, so that most policies compile and most rules are defined. Not all:
// a document may lack what is asked for, or hold something else there.
//
// The package knows Rego as text alone: neither how it is compiled nor how it is
// evaluated. Start with Case and New; the grammar stands in the files named
// after its parts, from rules down to terms.
package generate

import (
	"fmt"
	"strings"

	"github.com/verdictpdp/verdict/api/authz"
)

// A Case is a policy and what to ask of it.
type Case struct {
	// Modules are the policy's modules, by file names.
	Modules map[string]string
	// Data is the static data as JSON.
	Data string
	// Directory is what the directory holds, in the import format.
	Directory string
	// Requests are the inputs. Their tenant is left empty.
	Requests []authz.Request
	// Queries are queries in Rego: the package as a whole, each rule, rules by
	// key, functions. The empty one asks for the decision.
	Queries []string
}

// The file names of the modules of a case.
const (
	Policy = "policy.rego"
	Helper = "helper.rego"
)

// New is the case that bytes stand for. Each choice takes a byte; once they are
// used up, the choices follow from all of them.
func New(data []byte) Case { return newWriter(fromBytes(data)).whole() }

// Seeded is the case of a seed.
func Seeded(seed uint64) Case { return newWriter(fromSeed(seed)).whole() }

// A writer writes one case.
type writer struct {
	*source
	rules []rule // those that may be referred to
	pkg   string // of the rule that is written
	v2    bool   // whether the module imports rego.v2
	names int    // variables that are named
	fuel  int    // compound terms and statements that may still be written
}

func newWriter(s *source) *writer { return &writer{source: s} }

// fuelPerRule bounds the size of a rule.
const fuelPerRule = 30

func (w *writer) whole() Case {
	c := Case{
		Modules:   make(map[string]string),
		Data:      w.data(),
		Directory: w.directory(),
	}
	c.Modules[Helper] = w.module("helper", w.below(4))
	c.Modules[Policy] = w.module("authz", 2+w.below(5))
	for range 2 {
		c.Requests = append(c.Requests, w.request())
	}
	c.Queries = w.queries()
	return c
}

// module is a module with a number of rules, and those of a decision if it is
// to hold them.
func (w *writer) module(pkg string, rules int) string {
	w.pkg, w.v2 = pkg, w.chance(50)
	text := &strings.Builder{}
	fmt.Fprintf(text, "package %s\n\n", pkg)
	if w.v2 {
		text.WriteString("import rego.v2\n\n")
	}
	for range rules {
		text.WriteString(w.rule())
	}
	if pkg == "authz" {
		text.WriteString(w.decision())
	}
	return text.String()
}
