package rego

import (
	"github.com/open-policy-agent/opa/v1/ast"
	"github.com/open-policy-agent/opa/v1/types"

	"github.com/verdictpdp/verdict/api/authz"
	"github.com/verdictpdp/verdict/policy/bundle"
)

// contract is what the rules of a decision must be able to yield.
var contract = []struct {
	rule string
	fits func(types.Type) bool
	want string
}{
	{Allow, isBoolean, "a boolean: write allow if { … }"},
	{Deny, isSet, `a set of strings: write deny contains "…" if { … }`},
	{Reasons, isSet, `a set of strings: write reasons contains "…" if { … }`},
	{Obligations, isObject, "an object: write obligations[name] := value if { … }"},
	{Actions, isSet, `a set of strings: write actions contains "…" if { … }`},
}

// checkDecision finds the rules of the decision and reports those that could
// never yield what a decision is made of.
func (p *Policy) checkDecision() error {
	p.defined = make(map[string]bool)
	var errs []error
	for _, c := range contract {
		ref := p.path.Append(ast.StringTerm(c.rule))
		rules := p.compiler.GetRulesWithPrefix(ref)
		if len(rules) == 0 {
			continue
		}
		p.defined[c.rule] = true
		if yields := p.compiler.TypeEnv.GetByRef(ref); yields != nil && !possibly(yields, c.fits) {
			errs = append(errs, authz.InvalidField(bundle.Location(rules[0].Location), "%s is %s; it must be %s", ref, kind(yields), c.want))
		}
	}
	if !p.defined[Allow] {
		errs = append(errs, authz.Errorf(authz.Invalid, "bundle %s defines no rule allow in package %s: define it, or configure the package that does", p.bundle.Name, p.pkg))
	}
	return authz.JoinInvalid(errs)
}

// possibly reports whether a value of type t may fit.
func possibly(t types.Type, fits func(types.Type) bool) bool {
	union, isUnion := t.(types.Any)
	if !isUnion {
		return fits(t)
	}
	for _, member := range union {
		if fits(member) {
			return true
		}
	}
	return len(union) == 0
}

func isBoolean(t types.Type) bool { _, ok := t.(types.Boolean); return ok }

func isObject(t types.Type) bool { _, ok := t.(*types.Object); return ok }

func isSet(t types.Type) bool {
	set, ok := t.(*types.Set)
	return ok && possibly(set.Of(), func(member types.Type) bool { _, ok := member.(types.String); return ok })
}

// kind is a type without its details: "a boolean", "a set of numbers".
func kind(t types.Type) string {
	switch t := t.(type) {
	case *types.Function:
		return "a function"
	case *types.Set:
		return "a set that holds no strings"
	case *types.Array, *types.Object, types.Any:
		return "an " + t.String()
	default:
		return "a " + t.String()
	}
}
