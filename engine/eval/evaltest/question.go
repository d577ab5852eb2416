package evaltest

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/open-policy-agent/opa/v1/ast"
	"github.com/open-policy-agent/opa/v1/topdown"

	"github.com/verdictpdp/verdict/api/authz"
	"github.com/verdictpdp/verdict/engine/eval"
	"github.com/verdictpdp/verdict/policy/rego"
)

// A question is one of what a generated case is asked.
type question struct {
	query   string // a query in Rego; empty asks for the decision
	at      int    // of the case's requests
	request *authz.Request
}

// An answer is what an evaluator makes of a question, as a text that is the same
// for the same answer.
type answer struct {
	text     string // empty is undefined
	err      error
	code     string // topdown's code of the error, if it tells one
	refused  bool   // whether the evaluator cannot take the question
	panicked bool
}

func (a answer) String() string {
	switch {
	case a.refused:
		return "refused: " + a.err.Error()
	case a.err != nil:
		return a.err.Error()
	case a.text == "":
		return "undefined"
	default:
		return a.text
	}
}

// agrees reports whether two answers are the same: of errors, their kinds, and
// their codes where both tell one.
func (a answer) agrees(b answer) bool {
	if a.err == nil || b.err == nil {
		return a.err == nil && b.err == nil && a.text == b.text
	}
	return authz.KindOf(a.err) == authz.KindOf(b.err) && (a.code == b.code || a.code == "" || b.code == "")
}

// isOPAsFault reports whether topdown came upon an operand that it should have
// evaluated, which by its own account "indicates a bug in OPA rather than in the
// policy being evaluated". What the policy yields is then not known.
func (a answer) isOPAsFault() bool {
	return a.code == topdown.InternalErr && strings.Contains(a.err.Error(), "that requires evaluation")
}

// failed is the answer of an evaluation that came to an error.
func failed(err error) answer {
	a := answer{err: err}
	if fault, isTopdowns := errors.AsType[*topdown.Error](err); isTopdowns {
		a.code = fault.Code
		if authz.KindOf(err) == authz.Internal {
			a.err = authz.Errorf(authz.Evaluation, "%w", err)
		}
	}
	return a
}

// decide asks a program for the decision.
func (c *compiledCase) decide(ctx context.Context, program eval.Program, q question) answer {
	out, err := program.Eval(ctx, eval.Input{Request: q.request, Directory: c.reader(), Now: noon()})
	if err != nil {
		return failed(err)
	}
	return decided(out)
}

func decided(out eval.Output) answer {
	text, err := json.Marshal(out)
	if err != nil {
		return failed(err)
	}
	return answer{text: string(text)}
}

// ask asks a querier, on a compiler of the case's modules.
func (c *compiledCase) ask(ctx context.Context, query Querier, compiler *ast.Compiler, q question) answer {
	input, err := eval.Document(q.request)
	if err != nil {
		return failed(err)
	}
	answers, err := query(ctx, Query{
		Compiler:  compiler,
		Text:      c.text(q),
		Parser:    parserOptions(),
		Input:     input,
		Data:      c.data,
		Directory: c.reader(),
		Now:       noon(),
		Strict:    true,
	})
	if err != nil {
		_, isEvaluations := errors.AsType[*topdown.Error](err)
		a := failed(err)
		a.refused = !isEvaluations
		return a
	}
	if q.query == "" {
		return yielded(answers)
	}
	return answer{text: listed(answers)}
}

// text is the query that a question asks. The decision is asked for as each rule
// of it that there is, defined or not.
func (c *compiledCase) text(q question) string {
	if q.query != "" {
		return q.query
	}
	var parts []string
	for _, rule := range decisionRules {
		if c.policy.Has(rule) {
			parts = append(parts, fmt.Sprintf("%s = [v | v = data.authz.%s]", rule, rule))
		}
	}
	return strings.Join(parts, "; ")
}

// body is the query that a question asks, parsed.
func (c *compiledCase) body(q question) ast.Body {
	return ast.MustParseBodyWithOpts(c.text(q), parserOptions())
}

var decisionRules = []string{rego.Allow, rego.Deny, rego.Reasons, rego.Obligations}

// yielded is the decision that the answers to its query make.
func yielded(answers []map[string]ast.Value) answer {
	if len(answers) != 1 {
		return failed(fmt.Errorf("a query of comprehensions has %d answers", len(answers)))
	}
	value := func(rule string) ast.Value {
		collected, _ := answers[0][rule].(*ast.Array)
		if collected == nil || collected.Len() == 0 {
			return nil
		}
		return collected.Elem(0).Value
	}
	out, err := eval.Yield{
		Allow: value(rego.Allow), Deny: value(rego.Deny), Reasons: value(rego.Reasons), Obligations: value(rego.Obligations),
	}.Output()
	if err != nil {
		return failed(err)
	}
	return decided(out)
}

// listed is a set of answers, one a line, by the variables that have names.
func listed(answers []map[string]ast.Value) string {
	lines := make([]string, 0, len(answers))
	for _, bindings := range answers {
		var parts []string
		for name, value := range bindings {
			if !strings.HasPrefix(name, generated) && !ast.Var(name).IsWildcard() {
				parts = append(parts, name+" = "+value.String())
			}
		}
		slices.Sort(parts)
		lines = append(lines, strings.Join(parts, ", "))
	}
	slices.Sort(lines)
	return strings.Join(slices.Compact(lines), "\n")
}
