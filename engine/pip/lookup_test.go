package pip_test

import (
	"strings"
	"testing"

	"github.com/open-policy-agent/opa/v1/ast"

	"github.com/verdictpdp/verdict/engine/eval"
	"github.com/verdictpdp/verdict/engine/pip"
	"github.com/verdictpdp/verdict/engine/pip/piptest"
)

// ward is a directory with something in every member.
const ward = `
{"entity": {"type": "organization", "id": "olaf"}}
{"entity": {"type": "department", "id": "icu", "parents": ["organization:olaf"]}}
{"entity": {"type": "role", "id": "staff", "attributes": {"permissions": ["menu:read"]}}}
{"entity": {"type": "role", "id": "nurse", "attributes": {"permissions": ["record:read"]}, "parents": ["role:staff"]}}
{"entity": {"type": "user", "id": "mina", "attributes": {"1": "one", "level": 2, "list": [1, "x", null]}, "parents": ["department:icu"]}}
{"grant": {"id": "a", "subject": "department:icu", "role": "role:staff", "scope": "department:icu"}}
{"grant": {"id": "b", "subject": "user:mina", "role": "role:nurse", "scope": "department:icu"}}
{"grant": {"id": "c", "subject": "user:mina", "role": "role:nurse", "scope": "organization:olaf"}}
{"grant": {"id": "d", "subject": "organization:olaf", "role": "role:staff"}}
`

// TestLookup looks up keys by readers that have read nothing else, in a cache
// that has, and holds each to the member as a whole.
func TestLookup(t *testing.T) {
	const absent = "nothing"
	directory := piptest.New("t")
	directory.Write(piptest.Lines(t, ward)...)
	for _, test := range []struct {
		ref    string
		member eval.Member
		key    string
		want   string
	}{
		{"user:mina", eval.Attributes, `"level"`, "2"},
		{"user:mina", eval.Attributes, `"list"`, `[1, "x", null]`},
		{"user:mina", eval.Attributes, `"1"`, `"one"`},
		{"user:mina", eval.Attributes, `1`, absent},
		{"user:mina", eval.Attributes, `"levels"`, absent},
		{"user:mina", eval.Attributes, `["level"]`, absent},
		{"department:icu", eval.Attributes, `"level"`, absent},
		{"user:mina", eval.Ancestors, `"user:mina"`, `"user:mina"`},
		{"user:mina", eval.Ancestors, `"organization:olaf"`, `"organization:olaf"`},
		{"user:mina", eval.Ancestors, `"tenant:t"`, `"tenant:t"`},
		{"user:mina", eval.Ancestors, `"organization"`, absent},
		{"user:mina", eval.Distances, `"user:mina"`, "0"},
		{"user:mina", eval.Distances, `"tenant:t"`, "3"},
		{"department:icu", eval.Distances, `"tenant:t"`, "2"},
		{"user:mina", eval.Distances, `0`, absent},
		{"user:mina", eval.Parents, `0`, `"department:icu"`},
		{"user:mina", eval.Parents, `1`, absent},
		{"user:mina", eval.Parents, `-1`, absent},
		{"user:mina", eval.Parents, `"0"`, absent},
		{"user:mina", eval.Parents, `0.5`, absent},
		{"user:mina", eval.Parents, `99999999999999999999`, absent},
		{"user:mina", eval.Grants, `3`, `{"id": "d", "not_after_ns": 9223372036854775807, "not_before_ns": 0, "role": "role:staff", "scope": "tenant:t", "subject": "organization:olaf"}`},
		{"user:mina", eval.Grants, `4`, absent},
		{"user:mina", eval.Grants, `"0"`, absent},
		{"user:mina", eval.GrantsByScope, `"tenant:t"`, `"d"`},
		{"user:mina", eval.GrantsByScope, `"organization:olaf"`, `"c"`},
		{"user:mina", eval.GrantsByScope, `"department:icu"`, `"a" "b"`},
		{"user:mina", eval.GrantsByScope, `"user:mina"`, absent},
		{"user:mina", eval.GrantsByScope, `null`, absent},
		{"role:nurse", eval.Permissions, `"record:read"`, `"role:nurse"`},
		{"role:nurse", eval.Permissions, `"menu:read"`, `"role:staff"`},
		{"role:nurse", eval.Permissions, `"menu:write"`, absent},
		{"user:mina", eval.Permissions, `"menu:read"`, absent},
		{"user:mina", eval.Type, `"user"`, absent},
		{"user:mina", eval.ID, `0`, absent},
		{"user:mina", eval.Ref, `"user:mina"`, absent},
	} {
		t.Run(test.ref+" "+test.member.String()+" "+test.key, func(t *testing.T) {
			cache := pip.NewCache(pip.Options{})
			key := ast.MustParseTerm(test.key)
			for _, snapshot := range []*piptest.Snapshot{directory.Latest(), directory.Latest(), directory.At(2)} {
				ref := piptest.Ref(t, test.ref)
				e, err := cache.Reader(snapshot, 10).Entity(t.Context(), ref.Type, ref.ID)
				if err != nil {
					t.Fatal(err)
				}
				for range 2 {
					got, err := e.Lookup(t.Context(), test.member, key)
					if err != nil {
						t.Fatal(err)
					}
					if text := lookupText(got, absent); text != test.want {
						t.Errorf("got %s, expected %s", text, test.want)
					}
					if whole := inWhole(t, e, test.member, key); (whole == nil) != (got == nil) || got != nil && !whole.Equal(got) {
						t.Errorf("got %v, in the member as a whole it is %v", got, whole)
					}
				}
			}
		})
	}
}

// TestEachStops holds that Each visits no more once it was told to stop.
func TestEachStops(t *testing.T) {
	directory := piptest.New("t")
	directory.Write(piptest.Lines(t, ward)...)
	reader := pip.NewCache(pip.Options{}).Reader(directory.Latest(), 10)
	for _, test := range []struct {
		typ, id string
		member  eval.Member
		first   string
	}{
		{"user", "mina", eval.Attributes, `"1"`},
		{"user", "mina", eval.Ancestors, `"department:icu"`},
		{"user", "mina", eval.Distances, `"department:icu"`},
		{"department", "icu", eval.Ancestors, `"department:icu"`},
		{"user", "mina", eval.Parents, "0"},
		{"user", "mina", eval.Grants, "0"},
		{"user", "mina", eval.GrantsByScope, `"department:icu"`},
		{"role", "nurse", eval.Permissions, `"menu:read"`},
	} {
		e, err := reader.Entity(t.Context(), test.typ, test.id)
		if err != nil {
			t.Fatal(err)
		}
		var keys []string
		err = e.Each(t.Context(), test.member, func(key, _ *ast.Term) bool {
			keys = append(keys, key.String())
			return false
		})
		if err != nil || len(keys) != 1 || keys[0] != test.first {
			t.Errorf("%s: visited %v, %v; expected %s alone", test.member, keys, err, test.first)
		}
	}
}

// lookupText is a term as text, an array of grants as their ids.
func lookupText(term *ast.Term, absent string) string {
	if term == nil {
		return absent
	}
	array, isArray := term.Value.(*ast.Array)
	if !isArray {
		return term.String()
	}
	var ids []string
	array.Foreach(func(element *ast.Term) {
		if grant, isObject := element.Value.(ast.Object); isObject {
			ids = append(ids, grant.Get(ast.StringTerm("id")).String())
		}
	})
	if ids == nil {
		return term.String()
	}
	return strings.Join(ids, " ")
}

// inWhole is what stands at a key in a member, by OPA's own look-up.
func inWhole(t *testing.T, e eval.Entity, m eval.Member, key *ast.Term) *ast.Term {
	t.Helper()
	whole, err := e.Member(t.Context(), m)
	if err != nil {
		t.Fatal(err)
	}
	if whole == nil {
		return nil
	}
	switch value := whole.Value.(type) {
	case ast.Object:
		return value.Get(key)
	case *ast.Array:
		return value.Get(key)
	}
	return nil
}
