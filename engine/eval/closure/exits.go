package closure

import (
	"github.com/open-policy-agent/opa/v1/ast"

	"github.com/verdictpdp/verdict/engine/eval/closure/native"
	"github.com/verdictpdp/verdict/policy/rego"
)

// findExits notes which rules yield nothing but one constant. Such a body is
// left once it has yielded, for all that it could do is yield the same again;
// and of rules with the same constant, the first that yields is enough. OPA does
// the same where the policy writes the constant out. What is found to be constant
// otherwise, by folding, does not count: OPA evaluates the other rules, which may
// err. Nor does what rules yield at a key that is not written out: OPA goes through
// all of them, and to their ends.
func findExits(f *function) {
	for _, rule := range f.rules {
		rule.constant = constantOf(f, rule)
	}
}

// constantOf is the one value that a complete rule yields, elses included; nil
// where there are several or it is no constant.
func constantOf(f *function, rule *chain) *ast.Term {
	if f.kind != complete || f.rests != nil && mayErrBesides(rule) {
		return nil
	}
	var only *ast.Term
	for _, body := range rule.bodies {
		constants := true
		everyStatement(body, func(s statement) {
			once, isYield := s.(*assignOnce)
			if !isYield || once.to != rule.yield {
				return
			}
			value, isConstant := once.value.(constant)
			switch {
			case !isConstant || rego.VariableValue(once.at):
				constants = false
			case only == nil:
				only = value.term
			case !native.Equal(only, value.term):
				constants = false
			}
		})
		if !constants {
			return nil
		}
	}
	return only
}

// mayErrBesides reports whether a rule may err but by what it yields.
func mayErrBesides(rule *chain) bool {
	may := false
	for _, body := range rule.bodies {
		everyStatement(body, func(s statement) {
			once, isOnce := s.(*assignOnce)
			if isOnce && once.to == rule.yield {
				may = may || mayErr(once.value)
			} else {
				may = may || mayErrItself(s)
			}
		})
	}
	return may
}

// uniform reports whether rules yield nothing but one constant among them.
func uniform(rules []*chain) bool {
	if len(rules) == 0 || rules[0].constant == nil {
		return false
	}
	for _, rule := range rules[1:] {
		if rule.constant == nil || !native.Equal(rule.constant, rules[0].constant) {
			return false
		}
	}
	return true
}
