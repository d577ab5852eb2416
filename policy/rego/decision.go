package rego

import (
	"fmt"
	"slices"
	"strings"

	"github.com/open-policy-agent/opa/v1/ast"
	"github.com/open-policy-agent/opa/v1/types"

	"github.com/verdictpdp/verdict/api/authz"
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
		if yields := p.compiler.TypeEnv.GetByRef(ref); !possibly(yields, c.fits) {
			first := slices.MinFunc(rules, func(a, b *ast.Rule) int { return a.Location.Compare(b.Location) })
			errs = append(errs, authz.InvalidField(Location(first.Location), "%s is %s; it must be %s", ref, kind(yields), c.want))
		}
	}
	if !p.defined[Allow] {
		errs = append(errs, authz.Errorf(authz.Invalid, "bundle %s defines no rule allow in package %s: define it, or configure the package that does", p.bundle.Name, p.pkg))
	}
	return authz.JoinInvalid(errs)
}

// possibly reports whether a value of type t may fit; nil is a type of which
// nothing is known, such as that of an empty set's members.
func possibly(t types.Type, fits func(types.Type) bool) bool {
	union, isUnion := t.(types.Any)
	switch {
	case t == nil || isUnion && len(union) == 0:
		return true
	case isUnion:
		return slices.ContainsFunc(union, fits)
	default:
		return fits(t)
	}
}

func isBoolean(t types.Type) bool { _, ok := t.(types.Boolean); return ok }

func isObject(t types.Type) bool { _, ok := t.(*types.Object); return ok }

func isSet(t types.Type) bool {
	set, ok := t.(*types.Set)
	return ok && possibly(set.Of(), func(member types.Type) bool { _, ok := member.(types.String); return ok })
}

// kind is a type without its details.
func kind(t types.Type) string {
	switch t := t.(type) {
	case *types.Function:
		return "a function"
	case *types.Set:
		return "a set without strings"
	case *types.Array:
		return "an array"
	case *types.Object:
		return "an object"
	case types.Any:
		return "of several types"
	default:
		return "a " + t.String()
	}
}

// Rules are the rules of a decision that an evaluation yields.
var Rules = [...]string{Allow, Deny, Reasons, Obligations}

// Query is the query of a decision: it asks for each of Rules that the package
// defines. A comprehension is defined whether or not the rule is, so that one
// query yields them all, each in an array of at most one value:
//
//	allow = [v | v = data.authz.allow]; deny = [v | v = data.authz.deny]
func (p *Policy) Query() (ast.Body, error) {
	var parts []string
	for _, rule := range Rules {
		if p.Has(rule) {
			parts = append(parts, fmt.Sprintf("%s = [v | v = %s]", rule, p.Path().Append(ast.StringTerm(rule))))
		}
	}
	query, err := ast.ParseBody(strings.Join(parts, "; "))
	if err != nil {
		return nil, authz.Errorf(authz.Invalid, "bundle %s: the query of a decision cannot be read: %w", p.Name(), err)
	}
	return query, nil
}

// ActionsRule is the name of the rule Actions, such as data.authz.actions.
func (p *Policy) ActionsRule() string { return p.path.Append(ast.StringTerm(Actions)).String() }

// HasRule reports whether the policy has a rule of a name, such as
// data.verdict.http.request.
func (p *Policy) HasRule(name string) bool {
	ref, err := ast.ParseRef(name)
	return err == nil && len(p.compiler.GetRulesExact(ref)) > 0
}

// RuleQuery asks for what one rule of the policy yields, in an array of at most one
// value: value = [v | v = data.verdict.http.request]. It is an error where the
// policy has no such rule.
func (p *Policy) RuleQuery(name string) (ast.Body, error) {
	if !p.HasRule(name) {
		return nil, authz.Errorf(authz.NotFound, "bundle %s has no rule %s", p.Name(), name)
	}
	return ast.ParseBody(fmt.Sprintf("%s = [v | v = %s]", RuleValue, name))
}

// RuleValue is the variable of RuleQuery.
const RuleValue = "value"
