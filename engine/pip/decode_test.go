package pip

import (
	"bytes"
	"errors"
	"strings"
	"testing"

	"github.com/go-json-experiment/json/jsontext"
	"github.com/open-policy-agent/opa/v1/ast"

	"github.com/verdictpdp/verdict/api/authz"
)

func TestDecode(t *testing.T) {
	for _, test := range []struct{ name, attributes, want string }{
		{"absent", "", "{}"},
		{"empty", "{}", "{}"},
		{"all types", `{"a":[],"b":true,"f":false,"n":null,"o":{"x":{}},"s":"é\n\"","z":0}`, `{"a": [], "b": true, "f": false, "n": null, "o": {"x": {}}, "s": "é\n\"", "z": 0}`},
		{"exact numbers", `{"big":9007199254740993,"cents":0.10,"exp":1e2,"neg":-7,"one":1.0}`, `{"big": 9007199254740993, "cents": 0.10, "exp": 1e2, "neg": -7, "one": 1.0}`},
		{"nested lists", `{"l":[1,"two",[3,[null]],{"k":[4]}]}`, `{"l": [1, "two", [3, [null]], {"k": [4]}]}`},
	} {
		t.Run(test.name, func(t *testing.T) {
			got, err := attributesOf(NewCache(Options{}), test.attributes)
			if err != nil || got.String() != test.want {
				t.Errorf("got %v, %v; expected %s", got, err, test.want)
			}
		})
	}
}

func TestDecodeRefuses(t *testing.T) {
	for _, test := range []struct {
		attributes string
		kind       authz.Kind
		text       string
	}{
		{`{"n":1e999999999}`, authz.Evaluation, "cannot be computed with"},
		{`[1]`, authz.Internal, "not an object"},
		{`{"a":`, authz.Internal, "EOF"},
		{`{"a" 1}`, authz.Internal, ""},
		{`{"a":[1}`, authz.Internal, ""},
	} {
		_, err := attributesOf(NewCache(Options{}), test.attributes)
		if err == nil || authz.KindOf(err) != test.kind || !strings.Contains(err.Error(), test.text) {
			t.Errorf("%s: %v; expected %s with %q", test.attributes, err, test.kind, test.text)
		}
	}
}

func TestNamesAreBounded(t *testing.T) {
	var n names
	long := strings.Repeat("x", maxNameBytes+1)
	if first, second := n.term(long), n.term(long); first == second {
		t.Error("a long name is shared")
	}
	if first, second := n.term("title"), n.term("title"); first != second {
		t.Error("a short name is not shared")
	}
	for i := range maxNames + 10 {
		n.term(strings.Repeat("a", i%maxNameBytes) + string(rune('a'+i/maxNameBytes)))
	}
	if len(n.terms) > maxNames {
		t.Errorf("%d names are kept", len(n.terms))
	}
}

// FuzzDecode holds decode to OPA's own reading of JSON.
func FuzzDecode(f *testing.F) {
	f.Add([]byte(`{"a":[1,2.50,{"b":"c"}],"d":null}`))
	f.Add([]byte(`{"é":"\ud83d\ude00","n":-0,"e":1E+2}`))
	f.Fuzz(func(t *testing.T, text []byte) {
		got, err := attributesOf(NewCache(Options{}), string(text))
		if err != nil || len(text) == 0 {
			return
		}
		if !jsontext.Value(text).IsValid() {
			return // a name stands twice, or more follows: the directory takes neither
		}
		want, err := ast.ValueFromReader(bytes.NewReader(text))
		if err != nil {
			t.Fatalf("%s is %s, OPA refuses it: %v", text, got, err)
		}
		if got.Value.Compare(want) != 0 {
			t.Errorf("%s is %s, by OPA %s", text, got, want)
		}
	})
}

// BenchmarkDecode reads ten attributes: where they stand in the text, two of
// them besides, and all of them as an object.
func BenchmarkDecode(b *testing.B) {
	entity := authz.Entity{Attributes: []byte(`{"active":true,"clearance":3,"cost_center":"cc-17","email":"u00012345@example.com","joined":"2019-03-01","language":"de","level":4,"manager":"user:u00000815","region":"eu-3","title":"engineer 42"}`)}
	cache := NewCache(Options{})
	for _, bench := range []struct {
		name string
		read func(*entry) error
	}{
		{"none", func(*entry) error { return nil }},
		{"places", func(e *entry) error { _, err := cache.attributesOf(e); return err }},
		{"two", func(e *entry) error {
			_, err := cache.attribute(e, "email")
			_, other := cache.attribute(e, "clearance")
			return errors.Join(err, other)
		}},
		{"object", func(e *entry) error { _, err := cache.attributesObject(e); return err }},
	} {
		b.Run(bench.name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if err := bench.read(newEntry(key{"t", "user", "u"}, 1, entity, true)); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// attributesOf are the attributes that a text says.
func attributesOf(cache *Cache, text string) (*ast.Term, error) {
	return cache.attributesObject(newEntry(key{"t", "user", "u"}, 1, authz.Entity{Attributes: []byte(text)}, true))
}
