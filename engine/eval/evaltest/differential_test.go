package evaltest

import (
	"context"
	"errors"
	"slices"
	"testing"

	"github.com/open-policy-agent/opa/v1/ast"
	"github.com/open-policy-agent/opa/v1/topdown"

	"github.com/verdictpdp/verdict/engine/eval/evaltest/generate"
)

// unindexed evaluates every rule that any evaluator may.
func unindexed(ctx context.Context, q Query) ([]map[string]ast.Value, error) {
	return byTopdown(ctx, q, func(query *topdown.Query) *topdown.Query { return query.WithIndexing(false).WithEarlyExit(false) })
}

// recompiled answers by Reference on the modules of a query compiled anew, once
// for all queries that have them.
func recompiled(compile func(map[string]*ast.Module) (*ast.Compiler, error)) Querier {
	var of, compiler *ast.Compiler
	return func(ctx context.Context, q Query) (answers []map[string]ast.Value, err error) {
		if of != q.Compiler {
			if compiler, err = compile(q.Compiler.ParsedModules()); err != nil {
				return nil, err
			}
			of = q.Compiler
		}
		q.Compiler = compiler
		return Reference(ctx, q)
	}
}

// lazily evaluates no rule that an evaluator may pass over.
func lazily() Querier { return recompiled(new(laziness).compile) }

// rewriting evaluates other modules in the place of a query's.
func rewriting(rewrite func(*ast.Module)) Querier {
	return recompiled(func(modules map[string]*ast.Module) (*ast.Compiler, error) {
		rewritten := make(map[string]*ast.Module)
		for name, module := range modules {
			rewritten[name] = module.Copy()
			rewrite(rewritten[name])
		}
		compiler := newCompiler()
		if compiler.Compile(rewritten); compiler.Failed() {
			return nil, compiler.Errors
		}
		return compiler, nil
	})
}

// What evaluates more, less or in another order than topdown differs from it
// only as it may.
func TestEvaluatorsByTheContractAreTolerated(t *testing.T) {
	const seeds = 40
	for name, query := range map[string]Querier{
		"without an index": unindexed,
		"lazily":           lazily(),
		"in reverse":       rewriting(func(m *ast.Module) { slices.Reverse(m.Rules) }),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			Differential{Querier: query}.RunDifferences(t)
			tally := Differential{Querier: query}.CheckSeeds(t, 0, seeds)
			if tally.Refused > 0 {
				t.Errorf("%d questions were refused: these are not compared", tally.Refused)
			}
			t.Logf("%+v", tally)
		})
	}
}

// withAnswers changes what topdown answers.
func withAnswers(change func([]map[string]ast.Value, error) ([]map[string]ast.Value, error)) Querier {
	return func(ctx context.Context, q Query) ([]map[string]ast.Value, error) { return change(Reference(ctx, q)) }
}

// dropping leaves out some of the rules.
func dropping(drop func(earlier []*ast.Rule, rule *ast.Rule) bool) Querier {
	return rewriting(func(m *ast.Module) {
		var kept []*ast.Rule
		for i, rule := range m.Rules {
			if !drop(m.Rules[:i], rule) {
				kept = append(kept, rule)
			}
		}
		m.Rules = kept
	})
}

// inNodes changes nodes of a type, wherever they stand.
func inNodes[T any](change func(T)) Querier {
	return rewriting(func(m *ast.Module) {
		ast.NewGenericVisitor(func(node any) bool {
			if node, is := node.(T); is {
				change(node)
			}
			return false
		}).Walk(m)
	})
}

// A harness that finds nothing wrong with what is wrong is a defect.
func TestBrokenEvaluatorsAreFound(t *testing.T) {
	if testing.Short() {
		t.Skip("one goroutine does it all, and for long")
	}
	const seeds = 120
	for name, query := range map[string]Querier{
		"errors are undefined": func(ctx context.Context, q Query) ([]map[string]ast.Value, error) {
			q.Strict = false
			return Reference(ctx, q)
		},
		"conflicts are undefined": withAnswers(func(answers []map[string]ast.Value, err error) ([]map[string]ast.Value, error) {
			if fault, is := errors.AsType[*topdown.Error](err); is && fault.Code == topdown.ConflictErr {
				return nil, nil
			}
			return answers, err
		}),
		"all errors are of one code": withAnswers(func(answers []map[string]ast.Value, err error) ([]map[string]ast.Value, error) {
			if err != nil {
				err = &topdown.Error{Code: topdown.InternalErr, Message: err.Error()}
			}
			return answers, err
		}),
		"a rule that fails is a panic": withAnswers(func(answers []map[string]ast.Value, err error) ([]map[string]ast.Value, error) {
			if err != nil {
				panic(err)
			}
			return answers, nil
		}),
		"undefined is an answer": withAnswers(func(answers []map[string]ast.Value, err error) ([]map[string]ast.Value, error) {
			if err == nil && len(answers) == 0 {
				answers = []map[string]ast.Value{{"x": ast.Boolean(false)}}
			}
			return answers, err
		}),
		"all answers but one are lost": withAnswers(func(answers []map[string]ast.Value, err error) ([]map[string]ast.Value, error) {
			return answers[:min(1, len(answers))], err
		}),
		"no directory": func(ctx context.Context, q Query) ([]map[string]ast.Value, error) {
			q.Directory = nil
			return Reference(ctx, q)
		},
		"another time": func(ctx context.Context, q Query) ([]map[string]ast.Value, error) {
			q.Now = q.Now.AddDate(2, 0, 1)
			return Reference(ctx, q)
		},
		"no with":        inNodes(func(expr *ast.Expr) { expr.With = nil }),
		"no negation":    inNodes(func(expr *ast.Expr) { expr.Negated = false }),
		"no else":        inNodes(func(rule *ast.Rule) { rule.Else = nil }),
		"every is some":  inNodes(func(every *ast.Every) { every.Body = every.Body[:1] }),
		"or is its left": inNodes(func(or *ast.LogicalOr) { or.Rhs = or.Lhs.Copy() }),
		"no default":     dropping(func(_ []*ast.Rule, rule *ast.Rule) bool { return rule.Default }),
		"the second rule of a name is lost": dropping(func(earlier []*ast.Rule, rule *ast.Rule) bool {
			return slices.ContainsFunc(earlier, func(other *ast.Rule) bool {
				return !other.Default && !rule.Default && other.Head.Ref().Equal(rule.Head.Ref())
			})
		}),
		"constants in parameters match anything": inNodes(func(rule *ast.Rule) {
			for i, argument := range rule.Head.Args {
				if ast.IsConstant(argument.Value) {
					rule.Head.Args[i] = ast.VarTerm("_")
				}
			}
		}),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			for seed := range uint64(seeds) {
				if _, found := (Differential{Querier: query}).Check(t, generate.Seeded(seed)); found != nil {
					t.Logf("found by seed %d", seed)
					return
				}
			}
			t.Errorf("no difference was found by %d seeds", seeds)
		})
	}
}

// Most of what is generated compiles and is defined; conflicts and errors are
// few enough not to hide the rest.
func TestGeneratedCasesAreWorthAsking(t *testing.T) {
	if testing.Short() {
		t.Skip("one goroutine does it all, and for long")
	}
	const seeds = 200
	tally := Differential{Querier: Reference}.CheckSeeds(t, 1_000, seeds)
	t.Logf("%+v", tally)
	share := func(what string, part, whole, least, most int) {
		if percent := 100 * part / whole; percent < least || percent > most {
			t.Errorf("%d %% of %s, expected %d to %d %%", percent, what, least, most)
		}
	}
	share("cases do not compile", tally.Uncompiled, tally.Cases, 0, 30)
	share("questions are defined", tally.Defined, tally.Questions, 50, 90)
	share("questions are errors", tally.Erred, tally.Questions, 2, 20)
}

// OPA would evaluate the rule in itself until the stack is used up, and end the
// process.
func TestReferenceRefusesEndlessMocks(t *testing.T) {
	compiler := newCompiler()
	compiler.Compile(map[string]*ast.Module{"policy.rego": ast.MustParseModuleWithOpts("package authz\n\nr := f(1)\n\nf(x) := x", parserOptions())})
	_, err := Reference(t.Context(), Query{
		Compiler: compiler,
		Text:     "x = data.authz.r with data.authz.f as data.authz.r",
		Parser:   parserOptions(),
		Data:     ast.NewObject(),
	})
	if fault, is := errors.AsType[*ast.Error](err); !is || fault.Code != ast.RecursionErr {
		t.Errorf("error is %v, expected one of code %s", err, ast.RecursionErr)
	}
}
