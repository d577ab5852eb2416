package evaltest

import (
	"context"
	"errors"
	"slices"

	"github.com/open-policy-agent/opa/v1/ast"
	"github.com/open-policy-agent/opa/v1/topdown"
)

// When one evaluator reports an error and another does not, one of the two may
// be right by the contract that package eval gives them, or both: a rule that an
// index passes over may be evaluated or not, and so may a rule that could only
// yield what another has yielded already. Two further evaluations by OPA tell
// that from a fault.
//
// The exhaustive one has no index and no early exit: it evaluates every rule
// that any evaluator may. Hence an error that topdown does not report is
// tolerated only if the exhaustive evaluation meets one of the same code, be it in
// another rule of the decision or of the package that is asked for. Where it meets
// others, these hide what comes after them: then it may also be met in a complete
// rule that the question rests on, by itself.
//
// The laziest one evaluates no rule that an evaluator may pass over; see
// laziness. Hence an error that topdown reports and the other does not is
// tolerated only if the laziest evaluation comes to its end, and to what the
// other answered.
//
// Two errors of different codes are tolerated if an exhaustive evaluation meets
// the other's, be it with the rules in reverse or of each rule by itself: which of
// several comes first follows from the order in which rules are evaluated, and
// that order is nobody's promise. Two values are not tolerated: to pass over what
// yields no error and nothing else changes nothing. Three faults of OPA's are left
// out, on which there is no way to rest a policy. Its index looks at calls of
// startswith and a few others even where a with has put something else in their
// place: there, and only there, OPA without its index is right. For the others, see
// withSetsMade and keysApart.

// tolerates reports whether an answer that is not topdown's may stand beside it.
func (c *compiledCase) tolerates(ctx context.Context, q question, want, got answer) bool {
	if got.panicked {
		return false
	}
	if c.mayStandBeside(ctx, q, want, got) {
		return true
	}
	apart, want, made := c.keysApart(ctx, q)
	return made && (want.agrees(got) || apart.mayStandBeside(ctx, q, want, got))
}

// mayStandBeside is tolerates for an answer of OPA's that is right as to keys.
func (c *compiledCase) mayStandBeside(ctx context.Context, q question, want, got answer) bool {
	switch {
	case got.err != nil && want.err != nil:
		questions := slices.Concat([]question{q}, c.rules(q, func(*ast.Rule) bool { return true }))
		return got.code == "" ||
			slices.Contains(c.exhaustive(ctx, c.compiler, questions...), got.code) ||
			slices.Contains(c.exhaustive(ctx, inReverse(c.modules), questions...), got.code)
	case got.err != nil:
		met := c.exhaustive(ctx, c.compiler, c.parts(q)...)
		return slices.Contains(met, got.code) ||
			len(met) > 0 && slices.Contains(c.exhaustive(ctx, c.compiler, c.rules(q, isComplete)...), got.code)
	case want.err != nil:
		laziest := c.laziest(ctx, q)
		return laziest.err == nil && laziest.agrees(got)
	default:
		if c.mocksWhatIsIndexed(q) && got.agrees(c.unindexed(ctx, q)) {
			return true
		}
		without, made := c.withSetsMade(ctx, q)
		return made && got.agrees(without)
	}
}

// mocksWhatIsIndexed reports whether a with, of the query or of any rule, replaces
// a built-in function that OPA's index looks at.
func (c *compiledCase) mocksWhatIsIndexed(q question) (mocks bool) {
	indexed := []*ast.Builtin{ast.StartsWith, ast.EndsWith, ast.GlobMatch, ast.AnyPrefixMatch, ast.AnySuffixMatch}
	note := func(with *ast.With) bool {
		mocks = mocks || slices.ContainsFunc(indexed, func(b *ast.Builtin) bool { return with.Target.String() == b.Name })
		return mocks
	}
	ast.WalkWiths(c.body(q), note)
	for _, module := range c.modules {
		ast.WalkWiths(module, note)
	}
	return mocks
}

// unindexed is OPA's answer without its index.
func (c *compiledCase) unindexed(ctx context.Context, q question) answer {
	return c.ask(ctx, func(ctx context.Context, query Query) ([]map[string]ast.Value, error) {
		return byTopdown(ctx, query, func(query *topdown.Query) *topdown.Query { return query.WithIndexing(false) })
	}, c.compiler, q)
}

// parts are a question and, of a decision or of a whole package, one for each of
// its rules: the error of one hides that of the next.
func (c *compiledCase) parts(q question) []question {
	all := []question{q}
	ask := func(ref string) {
		one := question{query: "x = " + ref, request: q.request}
		if !slices.Contains(all, one) {
			all = append(all, one)
		}
	}
	if q.query == "" {
		for _, rule := range decisionRules {
			if c.policy.Has(rule) {
				ask("data.authz." + rule)
			}
		}
		return all
	}
	ast.WalkRefs(c.body(q), func(ref ast.Ref) bool {
		for _, module := range c.modules {
			if !module.Package.Path.HasPrefix(ref.GroundPrefix()) {
				continue
			}
			for _, rule := range module.Rules {
				if len(rule.Head.Args) == 0 {
					ask(named(rule).String())
				}
			}
		}
		return false
	})
	return all
}

// isComplete reports whether a rule is evaluated as a whole by whoever asks for it.
func isComplete(rule *ast.Rule) bool { return rule.Head.Key == nil && len(rule.Head.Ref()) == 1 }

// rules are questions for each rule that a question rests on by itself, of those
// that are wanted, so that the error of one hides none of another.
func (c *compiledCase) rules(q question, wanted func(*ast.Rule) bool) []question {
	var all []question
	seen := make(map[*ast.Rule]bool)
	var add func(rule *ast.Rule)
	add = func(rule *ast.Rule) {
		if seen[rule] {
			return
		}
		seen[rule] = true
		if len(rule.Head.Args) == 0 && wanted(rule) {
			all = append(all, question{query: "x = " + named(rule).String(), request: q.request})
		}
		for next := range c.compiler.Graph.Dependencies(rule) {
			add(next.(*ast.Rule))
		}
	}
	ast.WalkRefs(c.body(q), func(ref ast.Ref) bool {
		for _, rule := range c.compiler.GetRulesDynamicWithOpts(ref, ast.RulesOptions{}) {
			add(rule)
		}
		return false
	})
	return all
}

// named refers to all that the rules of a rule's name yield.
func named(rule *ast.Rule) ast.Ref {
	return rule.Module.Package.Path.Append(ast.StringTerm(string(rule.Head.Ref()[0].Value.(ast.Var))))
}

// inReverse has compiled modules with their rules in reverse order.
func inReverse(modules map[string]*ast.Module) *ast.Compiler {
	reversed := make(map[string]*ast.Module)
	for name, module := range modules {
		module = module.Copy()
		slices.Reverse(module.Rules)
		reversed[name] = module
	}
	compiler := newCompiler()
	compiler.Compile(reversed)
	return compiler
}

// exhaustive are the codes of all errors that evaluations meet which pass over
// nothing. The error of a decision that is of the wrong type has no code.
func (c *compiledCase) exhaustive(ctx context.Context, compiler *ast.Compiler, questions ...question) []string {
	var codes []string
	for _, q := range questions {
		for _, strict := range []bool{true, false} {
			var met []topdown.Error
			a := c.ask(ctx, func(ctx context.Context, query Query) ([]map[string]ast.Value, error) {
				return byTopdown(ctx, query, func(query *topdown.Query) *topdown.Query {
					query = query.WithIndexing(false).WithEarlyExit(false)
					if strict {
						return query
					}
					// What fails is undefined, so that what comes after is met as well.
					return query.WithStrictBuiltinErrors(false).WithBuiltinErrorList(&met)
				})
			}, compiler, q)
			if a.err != nil {
				codes = append(codes, a.code)
			}
			for i := range met {
				codes = append(codes, met[i].Code)
			}
		}
	}
	return codes
}

// laziest is the answer of an evaluation that passes over what it may. Where it
// fails, it is tried again with a rule evaluated later that another, which then
// comes first, may save it; in the end, without a rule that is asked for by key
// and that another may save likewise. Such a rule must not make a difference by
// the keys that it has.
func (c *compiledCase) laziest(ctx context.Context, q question) answer {
	const mostTries = 20
	l := laziness{query: c.body(q)}
	for range mostTries {
		a, stack := c.lazily(ctx, q, &l)
		switch {
		case a.err == nil && len(l.dropped) > 0:
			l.anyKey = true
			if with, _ := c.lazily(ctx, q, &l); !with.agrees(a) {
				return failed(errors.New("a rule that fails has keys that no other has"))
			}
			return a
		case a.err == nil || !l.postpone(stack):
			return a
		}
	}
	return failed(errors.New("no order of the rules was found that avoids errors"))
}

// lazily evaluates with laziness, and returns the places at which an error
// arose, the innermost first.
func (c *compiledCase) lazily(ctx context.Context, q question, l *laziness) (answer, []*ast.Location) {
	compiler, err := l.compile(c.modules)
	if err != nil {
		return failed(err), nil
	}
	a := c.ask(ctx, func(ctx context.Context, query Query) ([]map[string]ast.Value, error) {
		return byTopdown(ctx, query, func(query *topdown.Query) *topdown.Query { return query.WithStackTraces(true) })
	}, compiler, q)
	var stack []*ast.Location
	if fault, isTopdowns := errors.AsType[*topdown.Error](a.err); isTopdowns {
		for _, frame := range fault.StackTrace {
			stack = append(stack, frame.Location)
		}
		stack = append([]*ast.Location{fault.Location}, stack...)
	}
	return a, stack
}
