package evaltest

import (
	"context"

	"github.com/open-policy-agent/opa/v1/ast"
)

// A Query is any query over modules, as OPA's own cases ask them.
type Query struct {
	// Compiler has compiled the modules. It is not shared with another query.
	Compiler *ast.Compiler
	// Text is the query, still to be parsed by Parser's options and compiled.
	Text   string
	Parser ast.ParserOptions
	// Input is the document input; nil is undefined.
	Input *ast.Term
	// Data are the base documents.
	Data ast.Object
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

// A Querier answers queries: the variables of the query that OPA's topdown
// yields, with their values, for each answer. What goes wrong in an evaluation
// is a *topdown.Error of the code that topdown has for it.
type Querier func(ctx context.Context, q Query) ([]map[string]ast.Value, error)
