package residual

import (
	"slices"

	"github.com/open-policy-agent/opa/v1/ast"
)

// Rules that OPA leaves beside what is left of a query.

// ruleHolds is when a supporting rule, or a function of arguments, is true.
func (b *body) ruleHolds(ref ast.Ref, arguments []value) Formula {
	name := ref.String()
	rules, supported := b.support[name]
	if !supported || slices.Contains(b.inside, name) {
		return b.unrecognised("%s", name)
	}
	b.inside = append(b.inside, name)
	defer func() { b.inside = b.inside[:len(b.inside)-1] }()
	var any []Formula
	for _, rule := range rules {
		yields, isBoolean := rule.Head.Value.Value.(ast.Boolean)
		switch {
		case rule.Default && isBoolean && !bool(yields):
			continue
		case rule.Default || rule.Else != nil || !isBoolean || !bool(yields) || len(rule.Head.Args) != len(arguments) || len(rule.Ref()) != len(ref):
			return b.unrecognised("%s: its values cannot be told apart", name)
		}
		within := make(scope)
		for i, parameter := range rule.Head.Args {
			name, isVar := parameter.Value.(ast.Var)
			if _, twice := within[name]; !isVar || twice {
				return b.unrecognised("%s: a pattern as a parameter", name)
			}
			v := arguments[i]
			if v.element > 0 { // of which the rule may ask more than one thing
				return b.unrecognised("%s: of an element of a collection", name)
			}
			within[name] = v
		}
		any = append(any, b.reader.body(rule.Body, within, b.place))
	}
	return or(any...)
}

// hasMembers is when a supporting rule that is a set has members, or a certain one.
func (b *body) hasMembers(ref ast.Ref, certain ...*ast.Term) Formula {
	name := ref.String()
	if slices.Contains(b.inside, name) {
		return b.unrecognised("%s", name)
	}
	b.inside = append(b.inside, name)
	defer func() { b.inside = b.inside[:len(b.inside)-1] }()
	var any []Formula
	for _, rule := range b.support[name] {
		if rule.Head.Key == nil || rule.Default || rule.Else != nil {
			return b.unrecognised("%s: it is no set", name)
		}
		member := ast.VarTerm("member of " + name) // which has to be defined for there to be one
		if len(certain) > 0 {
			member = certain[0]
		}
		any = append(any, b.reader.body(append(slices.Clone(rule.Body), ast.Equality.Expr(member, rule.Head.Key)), scope{}, b.place))
	}
	return or(any...)
}

// isSet reports whether a ref is a supporting rule that is a set.
func (r *reader) isSet(ref ast.Ref) bool {
	rules := r.support[ref.String()]
	return len(rules) > 0 && rules[0].Head.Key != nil
}
