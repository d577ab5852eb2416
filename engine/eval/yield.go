package eval

import (
	"slices"

	"github.com/open-policy-agent/opa/v1/ast"

	"github.com/verdictpdp/verdict/api/authz"
	"github.com/verdictpdp/verdict/policy/rego"
)

// A Yield is what the rules of the decision came out as; nil where a rule is
// undefined.
type Yield struct {
	Allow, Deny, Reasons, Obligations ast.Value
}

// Output checks the types that the Rego contract gives the rules. A value of
// another type is an error of kind Evaluation, so that a policy which means to
// deny in a way that nobody understands does not allow.
func (y Yield) Output() (Output, error) {
	var out Output
	if y.Allow != nil {
		allow, isBoolean := y.Allow.(ast.Boolean)
		if !isBoolean {
			return Output{}, wrongType(rego.Allow, y.Allow, "a boolean")
		}
		out.Allow = bool(allow)
	}
	var err error
	if out.Deny, err = stringSet(rego.Deny, y.Deny); err != nil {
		return Output{}, err
	}
	if out.Reasons, err = stringSet(rego.Reasons, y.Reasons); err != nil {
		return Output{}, err
	}
	if out.Obligations, err = obligations(y.Obligations); err != nil {
		return Output{}, err
	}
	return out, nil
}

// stringSet is a set of strings, sorted.
func stringSet(rule string, value ast.Value) ([]string, error) {
	if value == nil {
		return nil, nil
	}
	set, isSet := value.(ast.Set)
	if !isSet {
		return nil, wrongType(rule, value, "a set of strings")
	}
	return Strings(rule, set.Slice())
}

// Strings are the members of a set that a rule yields, sorted; nil where there
// are none. A member that is no string is an error.
func Strings(rule string, set []*ast.Term) ([]string, error) {
	if len(set) == 0 {
		return nil, nil
	}
	members := make([]string, len(set))
	for i, term := range set {
		text, isString := term.Value.(ast.String)
		if !isString {
			return nil, authz.Errorf(authz.Evaluation, "rule %s has a member of type %s: it must be a set of strings", rule, ast.ValueName(term.Value))
		}
		members[i] = string(text)
	}
	slices.Sort(members)
	return members, nil
}

// obligations is an object as Go values, numbers as json.Number and sets as
// sorted arrays.
func obligations(value ast.Value) (authz.Object, error) {
	if value == nil {
		return nil, nil
	}
	object, isObject := value.(ast.Object)
	if !isObject {
		return nil, wrongType(rego.Obligations, value, "an object")
	}
	if object.Len() == 0 {
		return nil, nil
	}
	for _, name := range object.Keys() {
		if _, isString := name.Value.(ast.String); !isString {
			return nil, authz.Errorf(authz.Evaluation, "rule %s has a name of type %s: its names must be strings", rego.Obligations, ast.ValueName(name.Value))
		}
	}
	plain, err := Plain(rego.Obligations, object)
	if err != nil {
		return nil, err
	}
	return plain.(authz.Object), nil
}

// Plain is what a rule yields as the values that authz.Object names: numbers as
// json.Number, sets as sorted arrays.
func Plain(rule string, value ast.Value) (any, error) {
	plain, err := ast.JSONWithOpt(value, ast.JSONOpt{SortSets: true})
	if err != nil {
		return nil, authz.Errorf(authz.Evaluation, "rule %s: %w", rule, err)
	}
	return plain, nil
}

func wrongType(rule string, value ast.Value, want string) error {
	return authz.Errorf(authz.Evaluation, "rule %s is of type %s: it must be %s", rule, ast.ValueName(value), want)
}
