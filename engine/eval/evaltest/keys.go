package evaltest

import (
	"context"
	"fmt"

	"github.com/open-policy-agent/opa/v1/ast"
)

// Where a rule of a set has a call of a function for its member,
//
//	names contains f(input.x) if …
//
// and is asked for a key, OPA asks the function whether it may yield that key, and
// not what it yields: rules that yield something else are passed over, with their
// errors and conflicts, and an else or a default after them counts instead. It is
// otherwise where the policy writes the same as name := f(input.x), or goes through
// the set, or has called the function before. No policy can rest on that.

// keysApart is the case with such a member in a variable of its own, and OPA's
// answer to a question there; false where there is no such member.
func (c *compiledCase) keysApart(ctx context.Context, q question) (*compiledCase, answer, bool) {
	made := false
	apart := *c
	apart.modules = make(map[string]*ast.Module)
	for name, module := range c.modules {
		apart.modules[name] = module.Copy()
		for _, rule := range apart.modules[name].Rules {
			made = keyApart(rule) || made
		}
	}
	if !made {
		return nil, answer{}, false
	}
	apart.compiler = newCompiler().WithKeepModules(true)
	if apart.compiler.Compile(apart.modules); apart.compiler.Failed() {
		return nil, answer{}, false
	}
	return &apart, apart.ask(ctx, Reference, apart.compiler, q), true
}

// keyApart puts a member that is written with a call in a variable.
func keyApart(rule *ast.Rule) bool {
	if !isOfSet(rule) {
		return false
	}
	calls := false
	ast.WalkTerms(rule.Head.Key, func(term *ast.Term) bool {
		_, isCall := term.Value.(ast.Call)
		calls = calls || isCall
		return calls
	})
	if !calls {
		return false
	}
	name := ast.VarTerm(fmt.Sprintf("__member%d__", rule.Location.Row)).SetLocation(rule.Head.Key.Location)
	member := ast.Assign.Expr(name, rule.Head.Key).SetLocation(rule.Head.Key.Location)
	rule.Head.Key = name
	rule.Body.Append(member)
	return true
}
