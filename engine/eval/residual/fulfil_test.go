package residual_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/open-policy-agent/opa/v1/ast"

	"github.com/verdictpdp/verdict/engine/eval"
	"github.com/verdictpdp/verdict/engine/eval/residual"
)

// fulfils reports whether an entity may fulfil a residual, as its formula and as
// its alternatives, and whether it does for certain.
func fulfils(t testing.TB, r residual.Residual, e eval.Entity) (may, must bool) {
	t.Helper()
	if r.Where.Op == residual.Never && len(r.Unexpressed) > 0 {
		return true, false
	}
	value, err := e.Value(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	may, must = formula(t, r.Where, value)
	if len(r.Unexpressed) == 0 {
		any := r.Always
		for _, conjunction := range r.Any {
			all := true
			for _, c := range conjunction {
				holds := condition(t, c, value)
				all = all && (c.Op == residual.Unrecognised || holds != c.Negated)
			}
			any = any || all
		}
		if may && !any {
			t.Errorf("%s fulfils the formula %t and the alternatives %t: %s, %v", e.Ref(), may, any, r.Where, r.Any)
		}
	}
	return may, must
}

func formula(t testing.TB, f residual.Formula, entity *ast.Term) (may, must bool) {
	switch f.Op {
	case residual.Always:
		return true, true
	case residual.Never:
		return false, false
	case residual.None:
		may, must = formula(t, f.Of[0], entity)
		return !must, !may
	case residual.Holds:
		if f.Condition.Op == residual.Unrecognised {
			return true, false
		}
		holds := condition(t, *f.Condition, entity)
		return holds, holds
	}
	may, must = f.Op == residual.All, f.Op == residual.All
	for _, part := range f.Of {
		partMay, partMust := formula(t, part, entity)
		if f.Op == residual.All {
			may, must = may && partMay, must && partMust
		} else {
			may, must = may || partMay, must || partMust
		}
	}
	return may, must
}

func condition(t testing.TB, c residual.Condition, entity *ast.Term) bool {
	t.Helper()
	at := func(path ...string) ast.Value {
		ref := make(ast.Ref, len(path))
		for i, name := range path {
			ref[i] = ast.StringTerm(name)
		}
		v, err := entity.Value.Find(ref)
		if err != nil {
			return nil
		}
		return v
	}
	values := make([]ast.Value, len(c.Values))
	for i, v := range c.Values {
		values[i] = ast.MustInterfaceToValue(v)
	}
	isIn := func(v ast.Value) bool {
		return v != nil && slices.ContainsFunc(values, func(w ast.Value) bool { return w.Compare(v) == 0 })
	}
	attribute := at(append([]string{"attributes"}, c.Path...)...)
	text, _ := attribute.(ast.String)
	anyIn := func(collection ast.Value) (found bool) {
		switch collection := collection.(type) {
		case *ast.Array:
			collection.Foreach(func(e *ast.Term) { found = found || isIn(e.Value) })
		case ast.Object:
			collection.Foreach(func(_, e *ast.Term) { found = found || isIn(e.Value) })
		}
		return found
	}
	switch c.Op {
	case residual.IDIn:
		return isIn(at("id"))
	case residual.In:
		return isIn(attribute)
	case residual.NotEqual:
		return attribute != nil && !isIn(attribute)
	case residual.Less:
		return attribute != nil && attribute.Compare(values[0]) < 0
	case residual.LessOrEqual:
		return attribute != nil && attribute.Compare(values[0]) <= 0
	case residual.Greater:
		return attribute != nil && attribute.Compare(values[0]) > 0
	case residual.GreaterOrEqual:
		return attribute != nil && attribute.Compare(values[0]) >= 0
	case residual.Both:
		other := at(append([]string{"attributes"}, c.Other...)...)
		if attribute == nil || other == nil {
			return false
		}
		order := attribute.Compare(other)
		return map[residual.Op]bool{
			residual.In: order == 0, residual.NotEqual: order != 0, residual.Less: order < 0,
			residual.LessOrEqual: order <= 0, residual.Greater: order > 0, residual.GreaterOrEqual: order >= 0,
		}[c.How]
	case residual.Has:
		return anyIn(attribute)
	case residual.Defined:
		return attribute != nil
	case residual.Is:
		return attribute != nil && ast.ValueName(attribute) == c.Values[0]
	case residual.StartsWith:
		return attribute != nil && strings.HasPrefix(string(text), c.Values[0].(string))
	case residual.EndsWith:
		return attribute != nil && strings.HasSuffix(string(text), c.Values[0].(string))
	case residual.Contains:
		return attribute != nil && strings.Contains(string(text), c.Values[0].(string))
	case residual.Ancestor:
		return anyIn(at("ancestors"))
	case residual.AncestorStartsWith:
		found := false
		at("ancestors").(ast.Object).Foreach(func(ref, _ *ast.Term) {
			found = found || strings.HasPrefix(string(ref.Value.(ast.String)), c.Values[0].(string))
		})
		return found
	case residual.Parent:
		return anyIn(at("parents"))
	case residual.GrantOn:
		found := false
		at("grants_by_scope").(ast.Object).Foreach(func(scope, _ *ast.Term) { found = found || isIn(scope.Value) })
		return found
	case residual.Unrecognised:
		return false
	}
	t.Fatalf("condition %s", c)
	return false
}
