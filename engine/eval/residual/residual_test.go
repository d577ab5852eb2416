package residual_test

import (
	"fmt"
	"strconv"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/verdictpdp/verdict/api/authz"
	"github.com/verdictpdp/verdict/bundles"
	"github.com/verdictpdp/verdict/engine/eval/residual"
	"github.com/verdictpdp/verdict/engine/pip/piptest"
	"github.com/verdictpdp/verdict/policy/bundle"
	"github.com/verdictpdp/verdict/policy/rego"
)

const directory = `
{"entity": {"type": "department", "id": "b"}}
{"entity": {"type": "department", "id": "a", "parents": ["department:b"]}}
{"entity": {"type": "role", "id": "reader", "attributes": {"permissions": ["doc:read"]}}}
{"entity": {"type": "user", "id": "mina", "attributes": {"level": 2, "titles": ["x", "y"], "manager": "user:olga"}, "parents": ["department:a"]}}
{"entity": {"type": "user", "id": "olga", "attributes": {"level": 3}}}
{"entity": {"type": "doc", "id": "d1", "attributes": {"owner": "user:mina", "level": 1, "tags": ["x"]}, "parents": ["department:a"]}}
{"entity": {"type": "doc", "id": "d2", "attributes": {"owner": "user:olga", "level": "1"}, "parents": ["department:b"]}}
{"entity": {"type": "doc", "id": "d3"}}
{"grant": {"id": "g", "subject": "user:mina", "role": "role:reader", "scope": "department:a"}}
`

func compiled(t testing.TB, source string, beside ...string) *rego.Policy {
	t.Helper()
	library, err := bundle.ReadFS(bundles.FS, "lib")
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(source, "import rego.v") {
		source = "import rego.v2\n" + source
	}
	source = "package authz\nimport data.verdict.hierarchy\nimport data.verdict.rbac\nimport data.verdict.request\n" + source
	files := fstest.MapFS{"authz.rego": {Data: []byte(source)}}
	for i, other := range beside {
		files[fmt.Sprintf("beside%d.rego", i)] = &fstest.MapFile{Data: []byte(other)}
	}
	own, err := bundle.ReadFS(files, ".")
	if err != nil {
		t.Fatal(err)
	}
	policy, err := rego.Compile(own.With(library), rego.Options{})
	if err != nil {
		t.Fatal(err)
	}
	return policy
}

// What is left of a rule, as it is written.
func TestForms(t *testing.T) {
	if testing.Short() {
		t.Skip("one goroutine does it all, and for long")
	}
	tests := []struct {
		name, rego, want string
		inexact          bool
	}{
		{"nothing unknown that holds", `allow if request.subject.attributes.level == 2`, "always", false},
		{"nothing unknown that does not hold", `allow if request.subject.attributes.level == 3`, "never", false},
		{"an id", `allow if input.resource.id == "d1"`, `id == "d1"`, false},
		{"ids", `allow if input.resource.id in {"d1", "d2"}`, `id in "d1", "d2"`, false},
		{"another id than the subject's", `allow if input.resource.id != input.subject.id`, `not (id == "mina")`, false},
		{"a ref", `allow if request.resource.ref == "doc:d1"`, `id == "d1"`, false},
		{"a ref of another type", `allow if request.resource.ref == request.subject.ref`, "never", false},
		{"a type", `allow if request.resource.type == "doc"`, "always", false},
		{"an attribute of the subject's", `allow if request.resource.attributes.owner == request.subject.ref`, `attributes.owner == "user:mina"`, false},
		{"an attribute found by ref", `allow if request.resource.attributes.owner == data.directory.ref[request.subject.attributes.manager].ref`, `attributes.owner == "user:olga"`, false},
		{"either of two", "allow if request.resource.attributes.n == 1\nallow if request.resource.attributes.n == 2", "attributes.n in 1, 2", false},
		{"one of the subject's", `allow if request.resource.attributes.title in request.subject.attributes.titles`, `attributes.title in "x", "y"`, false},
		{"a comparison", `allow if request.subject.attributes.level >= request.resource.attributes.level`, "attributes.level <= 2", false},
		{"an attribute that is true, or anything but false", `allow if request.resource.attributes.open`, "attributes.open defined and not (attributes.open == false)", false},
		{"an attribute in an attribute", `allow if request.resource.attributes.a.b == 1`, "attributes.a.b == 1", false},
		{"a default", `allow if object.get(request.resource.attributes, "n", 0) == 0`, "not (attributes.n defined) or attributes.n == 0", false},
		{"an element", `allow if "x" in request.resource.attributes.tags`, `attributes.tags has "x"`, false},
		{"an element, drawn", "allow if {\n\tsome tag in request.resource.attributes.tags\n\ttag == \"x\"\n}", `attributes.tags has "x"`, false},
		{"an element of the subject's", "allow if {\n\tsome tag in request.resource.attributes.tags\n\ttag in request.subject.attributes.titles\n}", `attributes.tags has "x", "y"`, false},
		{"no element", `allow if not "x" in request.resource.attributes.tags`, `not (attributes.tags has "x")`, false},
		{"not", `allow if not request.resource.attributes.locked == true`, "not (attributes.locked == true)", false},
		{"not, of what is there", "allow if {\n\tn := request.resource.attributes.n\n\tnot n == 1\n}", "attributes.n defined and not (attributes.n == 1)", false},
		{"not, of what has to be there in rego.v1", "import rego.v1\nallow if not request.resource.attributes.n != 1", "attributes.n defined and not (attributes.n != 1)", false},
		{"a string", `allow if startswith(request.resource.attributes.path, "/a")`, `attributes.path starts with "/a"`, false},
		{"a type of value", `allow if is_number(request.resource.attributes.n)`, `attributes.n is "number"`, false},
		{"an ancestor", `allow if request.resource.ancestors["department:b"]`, `ancestor "department:b"`, false},
		{"the root", `allow if "tenant:t" in request.resource.ancestors`, "always", false},
		{"a parent", `allow if "department:a" in request.resource.parents`, `parent "department:a"`, false},
		{"ancestors of a type", `allow if count(hierarchy.ancestors_of_type(request.resource, "department")) > 0`, `ancestor starts with "department:"`, false},
		{"a grant", `allow if rbac.permitted`, `ancestor "department:a"`, false},
		{"a grant that has to be one of some", `allow if count(rbac.grants) > 0`, `ancestor "department:a"`, false},
		{"what the caller claims", `allow if input.resource.properties.n == 1`, "never", false},
		{"what denies", "allow := true\ndeny contains \"x\" if request.resource.attributes.n == 1", "not (attributes.n == 1)", false},
		{"what denies with a text of it", "allow := true\ndeny contains sprintf(\"%v\", [request.resource.attributes.n]) if request.resource.attributes.n > 1", "not (attributes.n > 1)", false},
		{"a function", "allow if open(request.resource)\nopen(e) if e.attributes.n == 1\nopen(e) if e.attributes.m == 1", "attributes.n == 1 or attributes.m == 1", false},
		{"the request as a value", "allow if {\n\tr := input.resource\n\tdata.directory[r.type][r.id].attributes.n == 1\n}", "attributes.n == 1", false},
		{"another of the same type", `allow if data.directory.doc.d1.attributes.level == 1`, "always", false},
		{"a comparison that is false", "allow if {\n\tsame := request.resource.attributes.n == 1\n\tsame == false\n}", "attributes.n defined and not (attributes.n == 1)", false},
		{"a comparison that is true", "allow if {\n\tsame := request.resource.attributes.n == 1\n\tsame == true\n}", "attributes.n == 1", false},
		{"not, of a comparison that is there", "allow if {\n\tless := request.resource.attributes.n < 1\n\tnot less\n}", "attributes.n defined and not (attributes.n < 1)", false},
		{"or", "allow if request.resource.attributes.n == 1 or request.resource.attributes.m == request.subject.attributes.level", "attributes.n == 1 or attributes.m == 2", false},
		{"and, in an or, under a not", "allow if not ((request.resource.attributes.n == 1 and request.resource.attributes.open) or request.resource.attributes.m == 1)", "not ((attributes.n == 1 and attributes.open defined and not (attributes.open == false)) or attributes.m == 1)", false},
		{"two of its attributes", `allow if request.resource.attributes.a < request.resource.attributes.b`, "attributes.a < attributes.b", false},
		{"an attribute and itself", `allow if request.resource.attributes.a == request.resource.attributes.a`, "attributes.a defined", false},
		{"attributes whose names look the same", `allow if {
	request.resource.attributes.a.b == 1
	request.resource.attributes["a.b"] == 1
}`, `attributes.a.b == 1 and attributes["a.b"] == 1`, false},
		{"a default that is true", `allow if object.get(request.resource.attributes, "open", true)`, "not (attributes.open == false)", false},
		{"a default that is false", `allow if object.get(request.resource.attributes, "open", false)`, "attributes.open defined and not (attributes.open == false)", false},
		{"a member of a set", "allow if \"x\" in marks\nmarks contains \"x\" if request.resource.attributes.n == 1\nmarks contains \"y\" if request.resource.attributes.n == 2", "attributes.n == 1", false},
		{"a member of a set of attributes", "allow if \"x\" in marks\nmarks contains request.resource.attributes.mark if request.resource.attributes.n == 1", `attributes.n == 1 and attributes.mark == "x"`, false},
		{"every one of the subject's", "allow if {\n\tevery title in request.subject.attributes.titles { title in request.resource.attributes.tags }\n\trequest.resource.attributes.n == 1\n}", `attributes.tags has "x" and attributes.tags has "y" and attributes.n == 1`, false},
		{"what its attribute names", `allow if data.directory.ref[request.resource.attributes.owner].attributes.level == 2`,
			"unrecognised: it looks up the entity that attributes.owner names and unrecognised: it looks up the entity that attributes.owner names == 2", true},
		{"another entity of the same id", `allow if data.directory.user[input.resource.id].attributes.level == 2`, "", true},
		{"every element", `allow if every tag in request.resource.attributes.tags { tag != "x" }`, "", true},
		{"one element of several conditions", "allow if {\n\tsome tag in request.resource.attributes.tags\n\ttag > \"a\"\n\ttag < \"c\"\n}", "", true},
		{"arithmetic", `allow if request.resource.attributes.n + 1 == 2`, "", true},
		{"a part that is known beside one that is not", "allow if {\n\trequest.resource.attributes.owner == request.subject.ref\n\trequest.resource.attributes.n + 1 == 2\n}", "", true},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			w := newWorld(t, compiled(t, tt.rego), "t", piptest.Lines(t, directory)...)
			request := authz.Request{
				Tenant: "t", Subject: authz.Subject{Type: "user", ID: "mina"}, Action: authz.Action{Name: "read"}, Resource: authz.Resource{Type: "doc"},
			}
			left, _, _, _ := w.check(t, request, residual.Resource)
			if got := left.Where.String(); tt.want != "" && got != tt.want || left.Exact == tt.inexact {
				t.Errorf("left is %s, exact %t; expected %s", got, left.Exact, tt.want)
			}
		})
	}
}

// A rule or a function that may have two values at once fails the decision then, and
// what is left does not foresee it.
func TestConflicts(t *testing.T) {
	tests := []struct {
		name, rego string
		conflicts  bool
	}{
		{"what allows and what does not", "allow if request.resource.attributes.n == 1\nallow := false if request.resource.attributes.m == 1", true},
		{"two values", "allow if level == 1\nlevel := 1 if request.resource.attributes.n == 1\nlevel := 2 if request.resource.attributes.m == 1", true},
		{"two values of what is known", "allow if {\n\tlevel == 1\n\trequest.resource.attributes.n == 1\n}\nlevel := 1 if request.subject.attributes.level == 2\nlevel := 2 if request.subject.attributes.level == 1", false},
		{"twice the same", "allow if level == 1\nlevel := 1 if request.resource.attributes.n == 1\nlevel := 1 if request.resource.attributes.m == 1", false},
		{"one of several elements", "allow if tag == \"x\"\ntag := some_tag if some some_tag in request.resource.attributes.tags", true},
		{"an element at a place", "allow if owner == \"x\"\nowner := request.resource.attributes[name] if name := \"owner\"", false},
		{"a function", "allow if grade(request.resource) == 1\ngrade(e) := 1 if e.attributes.n == 1\ngrade(e) := 2 if e.attributes.m == 1", true},
		{"a function of one of several", "allow if tag_of(request.resource) == \"x\"\ntag_of(e) := e.attributes.tags[_]", true},
		{"a function of different constants", "allow if rank(request.resource.attributes.level) == 1\nrank(\"low\") := 1\nrank(\"high\") := 2", false},
		{"an object of different keys", "allow if ranks.low == request.resource.attributes.n\nranks.low := 1 if request.resource.attributes.m == 1\nranks.high := 2 if request.resource.attributes.m == 1", false},
		{"an object of keys that may be the same", "allow if of[\"x\"] == 1\nof[request.resource.attributes.a] := 1\nof[request.resource.attributes.b] := 2", true},
		{"a set", "allow if \"x\" in marks\nmarks contains \"x\" if request.resource.attributes.n == 1\nmarks contains \"y\" if request.resource.attributes.m == 1", false},
		{"in what denies", "allow := true\ndeny contains \"x\" if level == 1\nlevel := 1 if request.resource.attributes.n == 1\nlevel := 2 if request.resource.attributes.m == 1", true},
		{"in what is not asked for", "allow if request.resource.attributes.n == 1\nlevel := 1 if request.resource.attributes.n == 1\nlevel := 2 if request.resource.attributes.m == 1", false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			w := newWorld(t, compiled(t, tt.rego), "t", piptest.Lines(t, directory)...)
			request := authz.Request{
				Tenant: "t", Subject: authz.Subject{Type: "user", ID: "mina"}, Action: authz.Action{Name: "read"}, Resource: authz.Resource{Type: "doc"},
			}
			left, err := residual.Exactly(t.Context(), w.policy, w.input(request), residual.Resource)
			if err != nil {
				t.Fatal(err)
			}
			if found := strings.Contains(left.Where.String(), "two values at once"); found != tt.conflicts || found && left.Exact {
				t.Errorf("left is %s, exact %t", left.Where, left.Exact)
			}
		})
	}
}

// What narrows is told from what does not, with the reason.
func TestUnexpressed(t *testing.T) {
	tests := []struct {
		name, rego string
		place, why string
	}{
		{"a condition that was not recognised", `allow if request.resource.attributes.n + 1 == 2`, "authz.rego:6", "plus("},
		{"one beside another that was", "allow if request.resource.attributes.n == 1\nallow if request.resource.attributes.n + 1 == 2", "authz.rego:7", ""},
		{"a built-in that fails", "allow := true\ndeny contains \"x\" if startswith(request.resource.attributes.title, request.subject.attributes.level)", "authz.rego:7", "startswith of attributes.title and 2"},
		{"a with on the request", "allow if open with input.resource.id as \"d1\"\nopen if request.resource.attributes.n == 1", "authz.rego:6", "a with on input.resource.id"},
		{"a look-up without regard to the type", "allow if data.directory.user[input.resource.id].attributes.n == 1", "authz.rego:6", "it looks up the user of the same id, whatever input.resource.type is"},
		{"an error of what is known", "allow if {\n\trequest.resource.attributes.n == 1\n\tto_number(input.subject.id) == 1\n}", "authz.rego:8", "eval_builtin_error"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			w := newWorld(t, compiled(t, tt.rego), "t", piptest.Lines(t, directory)...)
			request := authz.Request{
				Tenant: "t", Subject: authz.Subject{Type: "user", ID: "mina"}, Action: authz.Action{Name: "read"}, Resource: authz.Resource{Type: "doc"},
			}
			left, err := residual.Of(t.Context(), w.policy, w.input(request), residual.Resource)
			if err != nil {
				t.Fatal(err)
			}
			if left.Exact || len(left.Unexpressed) == 0 || left.Unexpressed[0].Place != tt.place || !strings.Contains(left.Unexpressed[0].Why, tt.why) {
				t.Errorf("it is unexpressed for %q, exact %t; expected %s: …%s…", left.Unexpressed, left.Exact, tt.place, tt.why)
			}
		})
	}
}

// What no decision leads to keeps none from being put as a condition.
func TestRulesThatAreNotAskedFor(t *testing.T) {
	w := newWorld(t, compiled(t, "allow if request.resource.attributes.n == 1",
		"package other\n\nimport rego.v2\nimport data.authz\n\nothers if authz.allow with input.resource.id as \"d1\""), "t", piptest.Lines(t, directory)...)
	request := authz.Request{
		Tenant: "t", Subject: authz.Subject{Type: "user", ID: "mina"}, Action: authz.Action{Name: "read"}, Resource: authz.Resource{Type: "doc"},
	}
	left, err := residual.Of(t.Context(), w.policy, w.input(request), residual.Resource)
	if err != nil || !left.Exact || len(left.Unexpressed) > 0 {
		t.Errorf("left is %s, exact %t, unexpressed for %q, error %v", left.Where, left.Exact, left.Unexpressed, err)
	}
}

// A type that the directory cannot hold has no entities, whatever the policy says.
func TestTypesThatThereAreNoneOf(t *testing.T) {
	w := newWorld(t, compiled(t, `allow := true`), "t")
	for _, typ := range []string{"ref", "tenant", "Doc", ""} {
		left, err := residual.Of(t.Context(), w.policy, w.input(authz.Request{Tenant: "t", Resource: authz.Resource{Type: typ}}), residual.Resource)
		if err != nil || left.Always || left.Where.Op != residual.Never {
			t.Errorf("of type %q is left %s, error %v", typ, left.Where, err)
		}
	}
}

// OPA unrolls every over few elements alone.
func TestEveryOfMany(t *testing.T) {
	var levels []string
	for i := range 50 {
		levels = append(levels, strconv.Itoa(i))
	}
	w := newWorld(t, compiled(t, "allow if {\n\tevery i, level in ["+strings.Join(levels, ", ")+"] {\n\t\tlevel == i\n\t\tnot banned(level)\n\t}\n\trequest.resource.attributes.m == 1\n}\nbanned(level) if request.resource.attributes.level == level"), "t", piptest.Lines(t, directory)...)
	request := authz.Request{Tenant: "t", Subject: authz.Subject{Type: "user", ID: "mina"}, Resource: authz.Resource{Type: "doc"}}
	left, _, _, _ := w.check(t, request, residual.Resource)
	text := left.Where.String()
	if !left.Exact || !strings.HasPrefix(text, "not (attributes.level == 0) and not (attributes.level == 1)") || !strings.HasSuffix(text, "not (attributes.level == 49) and attributes.m == 1") {
		t.Errorf("left is %s, exact %t", text, left.Exact)
	}
}

// What is compared with many values is one condition, made in a time that does not
// grow with their square.
func TestManyValues(t *testing.T) {
	var titles strings.Builder
	for i := range 12_000 {
		fmt.Fprintf(&titles, `"%x",`, i)
	}
	w := newWorld(t, compiled(t, `allow if request.resource.attributes.title in request.subject.attributes.titles`), "t",
		piptest.Lines(t, `{"entity": {"type": "user", "id": "mina", "attributes": {"titles": [`+strings.TrimSuffix(titles.String(), ",")+`]}}}`)...)
	request := authz.Request{Tenant: "t", Subject: authz.Subject{Type: "user", ID: "mina"}, Resource: authz.Resource{Type: "doc"}}
	left, err := residual.Of(t.Context(), w.policy, w.input(request), residual.Resource)
	if err != nil || left.Where.Op != residual.Holds || len(left.Where.Condition.Values) != 12_000 {
		t.Errorf("left is %v, error %v", left.Where.Op, err)
	}
}

// A condition that comes to very many alternatives widens what is left.
func TestAlternativesAreBounded(t *testing.T) {
	if testing.Short() {
		t.Skip("one goroutine does it all, and for long")
	}
	var source strings.Builder
	source.WriteString("allow if {\n\trequest.resource.attributes.owner == request.subject.ref\n")
	for _, name := range strings.Split("abcdefghi", "") {
		source.WriteString("\tf(request.resource.attributes." + name + ", request.resource.attributes." + name + name + ")\n")
	}
	source.WriteString("}\nf(x, _) if x == 1\nf(_, y) if y == 2\n")
	w := newWorld(t, compiled(t, source.String()), "t", piptest.Lines(t, directory)...)
	request := authz.Request{Tenant: "t", Subject: authz.Subject{Type: "user", ID: "mina"}, Resource: authz.Resource{Type: "doc"}}
	left, _, _, _ := w.check(t, request, residual.Resource)
	if len(left.Any) == 0 || len(left.Any) > 256 || len(left.Unexpressed) > 0 {
		t.Errorf("%d alternatives, unexpressed for %v", len(left.Any), left.Unexpressed)
	}
	for _, conjunction := range left.Any {
		if conjunction[0].String() != `attributes.owner == "user:mina"` {
			t.Errorf("an alternative begins with %s", conjunction[0])
		}
	}
}
