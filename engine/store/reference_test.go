package store

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/verdictpdp/verdict/api/authz"
)

func TestReferences(t *testing.T) {
	list := func(n int) string {
		var refs []string
		for i := range n {
			refs = append(refs, fmt.Sprintf(`"user:%d"`, i))
		}
		return "[" + strings.Join(refs, ",") + "]"
	}
	long := strings.Repeat("n", maxReferenceName)
	tests := []struct {
		name, attributes string
		want             []string
	}{
		{"none", ``, nil},
		{"no text with a colon", `{"age":3,"name":"mina"}`, nil},
		{"one", `{"age":3,"owner":"user:mina"}`, []string{"owner user:mina"}},
		{"with a colon in its id", `{"owner":"user:a:b"}`, []string{"owner user:a:b"}},
		{"what looks like one and is none", `{"at":"2026-01-01T00:00:00Z","b":"User:x","c":"user:"}`, nil},
		{"in a list, each once", `{"readers":["user:a","user:b",3,"user:a",["user:c"],null]}`, []string{"readers user:a", "readers user:b"}},
		{"in an object", `{"c":{"d":"user:x","e":["user:y"],"f":{"g":"user:z"},"user:k":"user:x"},"o":"user:o"}`, []string{"c user:x", "o user:o"}},
		{"in several attributes", `{"a":"user:x","b":["user:x"]}`, []string{"a user:x", "b user:x"}},
		{"with escapes", `{"a\"b":"user:\"x"}`, []string{`a"b user:"x`}},
		{"as many as are indexed", `{"readers":` + list(maxReferences) + `}`, nil},
		{"more than are indexed", `{"owner":"user:x","readers":` + list(maxReferences+1) + `}`, []string{"owner user:x", "readers "}},
		{"the longest name", `{"` + long + `":"user:x"}`, []string{long + " user:x"}},
		{"too long a name", `{"` + long + `n":"user:x","z":"user:y"}`, []string{"z user:y"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			var got []string
			for r := range references([]byte(tt.attributes)) {
				got = append(got, r.attribute+" "+r.to.String())
			}
			if tt.name == "as many as are indexed" {
				if len(got) != maxReferences {
					t.Errorf("%d of %d", len(got), maxReferences)
				}
				return
			}
			if !slices.Equal(got, tt.want) {
				t.Errorf("%v, want %v", got, tt.want)
			}
		})
	}
}

func TestEachReferring(t *testing.T) {
	s := newStore(t, "")
	doc := func(id string) authz.EntityRef { return authz.EntityRef{Type: "doc", ID: id} }
	many := `{"readers":["user:x","user:y"`
	for i := range maxReferences {
		many += fmt.Sprintf(`,"user:%d"`, i)
	}
	many += `]}`
	write := func(put map[string]string, gone ...string) {
		t.Helper()
		_, err := s.Update(t.Context(), tenant, func(tx *Tx) error {
			for id, attributes := range put {
				if _, err := tx.PutEntity(authz.Entity{Ref: doc(id), Attributes: []byte(attributes)}); err != nil {
					return err
				}
			}
			for _, id := range gone {
				if _, err := tx.DeleteEntity(doc(id)); err != nil {
					return err
				}
			}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	read := func(attribute string, to authz.EntityRef) (ids []string) {
		t.Helper()
		view, err := s.Latest(tenant)
		if err != nil {
			t.Fatal(err)
		}
		defer view.Close()
		if err := view.EachReferring("doc", attribute, to, func(id string) bool { ids = append(ids, id); return true }); err != nil {
			t.Fatal(err)
		}
		return ids
	}
	write(map[string]string{"a": `{"owner":"user:x"}`, "b": `{"owner":"user:y"}`, "c": `{"owner":"user:x"}`, "d": many})
	x, y := authz.EntityRef{Type: "user", ID: "x"}, authz.EntityRef{Type: "user", ID: "y"}
	check := func(got []string, want ...string) {
		t.Helper()
		if !slices.Equal(got, want) {
			t.Errorf("found %v, want %v", got, want)
		}
	}
	check(read("owner", x), "a", "c")
	check(read("owner", y), "b")
	check(read("readers", y), "d")
	check(read("readers", authz.EntityRef{Type: "user", ID: "else"}), "d") // it may be among them
	write(map[string]string{"a": `{"owner":"user:y"}`}, "c")
	check(read("owner", x))
	check(read("owner", y), "a", "b")
}
