package evaltest

import (
	"context"
	"time"

	"github.com/open-policy-agent/opa/v1/ast"

	"github.com/verdictpdp/verdict/engine/eval"
)

// A Query is any query over modules, as OPA's own cases ask them.
type Query struct {
	// Compiler has compiled the modules. Other queries may have it too, one
	// after the other.
	Compiler *ast.Compiler
	// Text is the query, still to be parsed by Parser's options and compiled.
	Text   string
	Parser ast.ParserOptions
	// Input is the document input; nil is undefined.
	Input *ast.Term
	// Data are the base documents. They must not be changed.
	Data ast.Object
	// Directory is the document data.directory, read as it is asked for; nil
	// where there is no other than in Data.
	Directory eval.Directory
	// Now is what time.now_ns() returns; zero is the time of the clock.
	Now time.Time
	// Strict makes a built-in's error the query's; otherwise the call is
	// undefined.
	Strict bool
}

// Body is the query, parsed.
func (q Query) Body() (ast.Body, error) {
	options := q.Parser
	options.SkipRules = true
	return ast.ParseBodyWithOpts(q.Text, options)
}

// A Querier answers queries: the variables of the query that have names, with
// their values, for each answer. What goes wrong in an evaluation
// is a *topdown.Error of the code that topdown has for it; any other error means
// that the evaluator cannot take the query.
type Querier func(ctx context.Context, q Query) ([]map[string]ast.Value, error)
