// Package explain is what an explanation is made of, whichever evaluator tells
// what happened: the rules of a policy as their author wrote them, a record of
// what became of each, and what of that an explanation says.
//
// An evaluator runs rules that the compiler has rewritten: one expression of the
// source is several there, in another order, with variables of the compiler's.
// Here the two are brought together, by the places that both have. It knows
// neither how rules are evaluated nor who asks.
//
// Of one decision, evaluators tell the same of a rule that they have both tried,
// up to what follows from the order in which they try rules and members, and that
// order is nobody's promise: which of two rules that conflict is the one that errs,
// and how far others have come by then; and which of several calls of a function
// that came as far is the first. A rule that is asked for a key that it does not
// have fails at its head or at the expression that the key is from. One that is
// asked for a key through a name that is not known before, as in
// permissions[role][action] for the rules permissions.owner and permissions.guest,
// may be tried for all of its keys.
//
// Start with Policy, which is made once, and Record, which is made for each
// decision.
package explain

import (
	"slices"

	"github.com/open-policy-agent/opa/v1/ast"

	"github.com/verdictpdp/verdict/policy/rego"
)

// A Policy is the rules of a policy as explanations tell of them. It is
// immutable and safe for use by many goroutines at once.
type Policy struct {
	path    ast.Ref // of the package that holds the decision
	renamed map[ast.Var]ast.Var
	rules   []*Rule
	byRule  map[*ast.Rule]*Rule
	names   map[string]map[string]bool // of the rules of each package
	calls   map[string]bool            // the paths of rules that are functions
}

// New reads a policy.
func New(policy *rego.Policy) *Policy {
	p := Read(policy.Compiler(), policy.Sources(), policy.Title)
	p.path = policy.Path()
	return p
}

// Read reads rules that have been compiled. Sources are the modules before, under
// the compiler's names; title is that of a compiled rule.
func Read(compiler *ast.Compiler, sources map[string]*ast.Module, title func(*ast.Rule) string) *Policy {
	p := &Policy{renamed: compiler.RewrittenVars, byRule: make(map[*ast.Rule]*Rule), names: make(map[string]map[string]bool), calls: make(map[string]bool)}
	compiled := compiler.Modules
	var keys []string
	for key, module := range compiled {
		keys = append(keys, key)
		name := module.Package.Path.String()
		if p.names[name] == nil {
			p.names[name] = make(map[string]bool)
		}
		for _, rule := range module.Rules {
			p.names[name][nameOf(rule)] = true
			if len(rule.Head.Args) > 0 {
				p.calls[rule.Ref().String()] = true
			}
		}
	}
	slices.Sort(keys)
	for _, key := range keys {
		for i, rule := range compiled[key].Rules {
			p.add(sources[key], rule, sources[key].Rules[i], title)
		}
	}
	p.findComplete()
	p.findMocked()
	return p
}

// findComplete marks the rules that yield one value. One such as p.a := 1 is not
// among them where another, such as p[x] := y, makes an object of which that is a
// member.
func (p *Policy) findComplete() {
	names := make(map[string]bool)
	for _, rule := range p.rules {
		names[rule.name] = true
	}
	for _, rule := range p.rules {
		within := false
		for n := 1; n < len(rule.path); n++ {
			within = within || names[rule.path[:n].String()]
		}
		rule.complete = rule.Compiled.Head.RuleKind() == ast.SingleValue && rule.Compiled.Ref().IsGround() && !within
	}
}

// add reads a rule and its elses.
func (p *Policy) add(module *ast.Module, compiled, source *ast.Rule, title func(*ast.Rule) string) {
	for ; compiled != nil; compiled, source = compiled.Else, source.Else {
		if !compiled.Default {
			rule := &Rule{
				Compiled: compiled,
				Number:   len(p.rules),
				path:     compiled.Ref().GroundPrefix(),
				title:    title(compiled),
				location: rego.Location(compiled.Location),
			}
			rule.name = rule.path.String()
			r := reader{policy: p, module: module, rule: rule}
			r.read(source)
			p.rules = append(p.rules, rule)
			p.byRule[compiled] = rule
		}
	}
}

// nameOf is the name that the rules of the same package know a rule by.
func nameOf(rule *ast.Rule) string {
	if name, isVar := rule.Head.Ref()[0].Value.(ast.Var); isVar {
		return string(name)
	}
	return ""
}

// findMocked marks the rules that may be tried under a with which replaces more
// than the input.
func (p *Policy) findMocked() {
	byName := make(map[string][]*Rule)
	for _, rule := range p.rules {
		byName[rule.name] = append(byName[rule.name], rule)
	}
	var mark func(asks []ast.Ref)
	mark = func(asks []ast.Ref) {
		for _, ask := range asks {
			for _, rules := range byName {
				if rules[0].mocked || !meets(ask, rules[0].path) {
					continue
				}
				for _, rule := range rules {
					rule.mocked = true
				}
				for _, rule := range rules {
					mark(rule.asks)
				}
			}
		}
	}
	for _, rule := range p.rules {
		for _, expr := range rule.Compiled.Body {
			if replacesMore(expr) {
				mark(asksOf(nil, expr))
			}
		}
	}
}

// replacesMore reports whether something in an expression replaces more than the
// input by a with.
func replacesMore(expr *ast.Expr) (found bool) {
	ast.WalkWiths(expr, func(w *ast.With) bool {
		target, isRef := w.Target.Value.(ast.Ref)
		found = found || !isRef || !target.HasPrefix(ast.InputRootRef)
		return found
	})
	return found
}

// Rules are all rules but defaults, elses included, each at its Number: by
// module, in the order in which they stand there.
func (p *Policy) Rules() []*Rule { return p.rules }

// Rule is a rule of the compiler's; nil is one that explanations do not tell of.
func (p *Policy) Rule(compiled *ast.Rule) *Rule { return p.byRule[compiled] }
