package rego_test

import (
	"maps"
	"runtime"
	"slices"
	"strings"
	"testing"
	"testing/fstest"
	"weak"

	"github.com/google/go-cmp/cmp"
	"github.com/open-policy-agent/opa/v1/ast"

	"github.com/verdictpdp/verdict/api/authz"
	"github.com/verdictpdp/verdict/policy/bundle"
	"github.com/verdictpdp/verdict/policy/rego"
)

type files map[string]string

func read(t *testing.T, f files) *bundle.Bundle {
	t.Helper()
	fsys := fstest.MapFS{}
	for name, text := range f {
		fsys["b/"+name] = &fstest.MapFile{Data: []byte(text)}
	}
	b, err := bundle.ReadFS(fsys, "b")
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func compile(t *testing.T, f files, opts rego.Options) *rego.Policy {
	t.Helper()
	policy, err := rego.Compile(read(t, f), opts)
	if err != nil {
		t.Fatal(err)
	}
	return policy
}

func TestCompile(t *testing.T) {
	policy := compile(t, files{
		".manifest": `{"revision": "r1"}`,
		"authz.rego": `package authz

import rego.v2

default allow := false

allow if input.subject.id in data.limits.friends

deny contains "suspended" if not input.subject.properties.active

obligations.mfa := true if input.context.risk > 3
`,
		"limits/data.json": `{"friends": ["mina"], "most": 9007199254740993}`,
		"authz_test.rego":  "package authz_test\n\ntest_nothing if nosuch(1)",
	}, rego.Options{})

	if policy.Name() != "b" || policy.Revision() != "r1" || policy.Package() != "authz" || policy.Path().String() != "data.authz" {
		t.Errorf("got bundle %s at %s, package %s at %s", policy.Name(), policy.Revision(), policy.Package(), policy.Path())
	}
	has := make(map[string]bool)
	for _, rule := range []string{rego.Allow, rego.Deny, rego.Reasons, rego.Obligations, rego.Actions} {
		has[rule] = policy.Has(rule)
	}
	if diff := cmp.Diff(map[string]bool{"allow": true, "deny": true, "reasons": false, "obligations": true, "actions": false}, has); diff != "" {
		t.Errorf("rules (-want +got):\n%s", diff)
	}
	data := ast.MustParseTerm(`{"limits": {"friends": ["mina"], "most": 9007199254740993}}`)
	if policy.Data().Compare(data.Value) != 0 {
		t.Errorf("data is %v, want %v", policy.Data(), data)
	}
	if keys := slices.Collect(maps.Keys(policy.Compiler().Modules)); !slices.Equal(keys, []string{"b/authz.rego"}) {
		t.Errorf("compiled modules %v, want the policy without its tests", keys)
	}
}

func TestCompileTakesAnotherPackage(t *testing.T) {
	for _, c := range []struct{ module, option string }{
		{"my.app.authz", "my.app.authz"},
		{`my["an-app"]`, `my["an-app"]`},
		{"authz", ""},
	} {
		t.Run(c.module, func(t *testing.T) {
			policy := compile(t, files{"x.rego": "package " + c.module + "\n\nallow := true"}, rego.Options{Package: c.option})
			if got := policy.Path().String(); got != "data."+c.module {
				t.Errorf("path %s, want data.%s", got, c.module)
			}
		})
	}
}

func TestCompileRefusesNamesThatAreNoPackage(t *testing.T) {
	for _, name := range []string{"my app", "authz.", ".authz", "authz[x]", "authz[1]", "a-b", "authz == 1", "data.authz\nx"} {
		t.Run(name, func(t *testing.T) {
			_, err := rego.Compile(read(t, files{"x.rego": "package authz\n\nallow := true"}), rego.Options{Package: name})
			wantInvalid(t, err, "package: ", "my.app.authz")
		})
	}
}

// Only what breaks the contract of a decision, or what OPA itself refuses, is
// refused.
func TestCompileRefuses(t *testing.T) {
	for _, c := range []struct {
		name  string
		files files
		parts []string
	}{
		{"no rule allow", files{"x.rego": "package authz\n\npermit := true"}, []string{"bundle b defines no rule allow in package authz"}},
		{"no policy", files{"data.json": "{}"}, []string{"no rule allow"}},
		{"allow in another package", files{"x.rego": "package hr\n\nallow := true"}, []string{"no rule allow in package authz"}},
		{"an unknown function", files{"x.rego": "package authz\n\nallow if nosuch(1)"}, []string{"b/x.rego:3: ", "undefined function nosuch"}},
		{"unsafe variables", files{"x.rego": "package authz\n\nallow if x == input.y"}, []string{"b/x.rego:3: ", "unsafe"}},
		{"recursion", files{"x.rego": "package authz\n\nallow if allow"}, []string{"b/x.rego:3: ", "recursive"}},
		{"types that never match", files{"x.rego": "package authz\n\nallow if count(1)"}, []string{"b/x.rego:3: ", "count", "have", "want"}},
		{"a rule where data stands", files{"x.rego": "package authz\n\nallow := true", "authz/data.json": `{"allow": true}`}, []string{"b/x.rego:3", "conflict"}},
		{"allow that is a string", files{"x.rego": `package authz` + "\n\n" + `allow := "yes"`}, []string{"b/x.rego:3: ", "data.authz.allow is a string; it must be a boolean"}},
		{"allow that is a function", files{"x.rego": "package authz\n\nallow(x) if x"}, []string{"b/x.rego:3: ", "is a function"}},
		{"deny that is a boolean", files{"x.rego": "package authz\n\nallow := true\n\ndeny if input.x"}, []string{"b/x.rego:5: ", "is a boolean", "write deny contains"}},
		{"deny that is an object", files{"x.rego": "package authz\n\nallow := true\n\ndeny[why] if why := input.x"}, []string{"b/x.rego:5: ", "is an object", "write deny contains"}},
		{"reasons that are an array", files{"x.rego": "package authz\n\nallow := true\n\nreasons := [1]"}, []string{"b/x.rego:5: ", "is an array"}},
		{"reasons that are numbers", files{"x.rego": "package authz\n\nallow := true\n\nreasons contains 1"}, []string{"b/x.rego:5: ", "a set without strings"}},
		{"obligations that are a set", files{"x.rego": "package authz\n\nallow := true\n\nobligations contains \"mfa\""}, []string{"b/x.rego:5: ", "must be an object"}},
		{"actions that are an object", files{"x.rego": "package authz\n\nallow := true\n\nactions := {}"}, []string{"b/x.rego:5: ", "is an object"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, err := rego.Compile(read(t, c.files), rego.Options{})
			wantInvalid(t, err, c.parts...)
		})
	}
}

func TestCompileTakes(t *testing.T) {
	for _, c := range []struct{ name, text string }{
		{"unused imports, variables and arguments", "import data.other\n\nallow if {\n\tx := 1\n\tf(2)\n}\n\nf(y) := true"},
		{"deprecated functions", "import rego.v1\n\nallow if count(input.x) > 0"},
		{"allow of an unknown type", "allow := input.x"},
		{"allow of several types", "allow := true if input.x\n\nallow := \"no\" if not input.x"},
		{"deny of unknown members", "allow := true\n\ndeny contains input.x"},
		{"deny of several sorts of members", "allow := true\n\ndeny contains 1 if input.x\n\ndeny contains \"no\""},
		{"deny as a set", "allow := true\n\ndeny := {why | some why in input.x}"},
		{"an empty deny", "allow := true\n\ndeny := set()"},
		{"obligations one by one", "allow := true\n\nobligations.mfa := true\n\nobligations.log.level := 1"},
		{"obligations from bindings", "allow := true\n\nobligations[k] := v if some k, v in input.context"},
		{"an empty object", "allow := true\n\nobligations := {}"},
		{"default alone", "default allow := false"},
		{"the decision's time", "allow if time.now_ns() > 0"},
		{"rego.v2", "import rego.v2\n\nallow if not startswith(input.x, \"a\")"},
		{"print", "allow if print(input.x)"},
		{"schemas that nobody gave", "# METADATA\n# schemas:\n# - input: schema.input\nallow := true"},
		{"a template", `allow if $"{input.subject.type}:{input.subject.id}" == "user:mina"`},
	} {
		t.Run(c.name, func(t *testing.T) {
			compile(t, files{"x.rego": "package authz\n\n" + c.text}, rego.Options{})
		})
	}
}

func TestCompileReportsAllFindingsAtOnce(t *testing.T) {
	_, err := rego.Compile(read(t, files{
		"a.rego": "package authz\n\nallow if nosuch(1)\n\ndeny contains x if nosuch(2)",
		"b.rego": "package b\n\nx if http.send({}).status == 200",
	}), rego.Options{})
	var fields []string
	for _, v := range authz.ViolationsOf(err) {
		fields = append(fields, v.Field)
	}
	slices.Sort(fields)
	if fields = slices.Compact(fields); !slices.Equal(fields, []string{"b/a.rego:3", "b/a.rego:5", "b/b.rego:3"}) {
		t.Errorf("findings at %v in %v", fields, err)
	}
}

func TestCompileTakesTwoModulesOfOnePath(t *testing.T) {
	own := read(t, files{"x.rego": "package authz\n\nallow if data.verdict.rbac.ok"})
	library := read(t, files{"x.rego": "package verdict.rbac\n\nok := true"})
	policy, err := rego.Compile(own.With(library), rego.Options{})
	if err != nil {
		t.Fatal(err)
	}
	if n := len(policy.Compiler().Modules); n != 2 {
		t.Errorf("%d modules compiled, want 2", n)
	}
}

// TestAPolicyKeepsNoTests compiles a bundle whose tests take memory, which goes with the
// bundle and not with the policy.
func TestAPolicyKeepsNoTests(t *testing.T) {
	b := read(t, files{"x.rego": "package authz\n\nallow := true", "x_test.rego": "package authz_test\n\ntest_x if true"})
	test := weak.Make(b.TestModules[0].Parsed)
	policy, err := rego.Compile(b, rego.Options{})
	if err != nil {
		t.Fatal(err)
	}
	runtime.GC()
	if test.Value() != nil {
		t.Error("the module of the test is kept")
	}
	runtime.KeepAlive(policy)
}

func TestCompileSaysThatAPackageOfTheLibraryIsReplaced(t *testing.T) {
	own := read(t, files{"x.rego": "package verdict.rbac\n\nmine := true", "authz.rego": "package authz\n\nallow if data.verdict.sod.held"})
	library := read(t, files{
		"rbac.rego": "package verdict.rbac\n\nin_force(x) := true",
		"sod.rego":  "package verdict.sod\n\nheld if data.verdict.rbac.in_force(1)",
	})
	_, err := rego.Compile(own.With(library), rego.Options{})
	wantInvalid(t, err, "b/sod.rego:3: undefined function data.verdict.rbac.in_force: package verdict.rbac of bundle b takes the place of the library's as a whole")
}

func TestTitle(t *testing.T) {
	policy := compile(t, files{"x.rego": `package authz

# METADATA
# title: The owner may
allow if input.subject.id == data.directory.ref[input.x].attributes.owner

allow if input.subject.id == "root"

# METADATA
# title: What forbids it
# scope: document

# METADATA
# title: The account is suspended
deny contains "suspended" if input.suspended

deny contains "expired" if input.expired
`}, rego.Options{})
	titles := make(map[int]string)
	for _, module := range policy.Compiler().Modules {
		for _, rule := range module.Rules {
			titles[rule.Location.Row] = policy.Title(rule)
		}
	}
	want := map[int]string{5: "The owner may", 7: "", 15: "The account is suspended", 17: "What forbids it"}
	if diff := cmp.Diff(want, titles); diff != "" {
		t.Errorf("titles by line (-want +got):\n%s", diff)
	}
}

func wantInvalid(t *testing.T, err error, parts ...string) {
	t.Helper()
	if err == nil {
		t.Fatalf("no error, want one with %q", parts)
	}
	if kind := authz.KindOf(err); kind != authz.Invalid {
		t.Errorf("kind %v of %v, want Invalid", kind, err)
	}
	for _, part := range parts {
		if !strings.Contains(err.Error(), part) {
			t.Errorf("error %q lacks %q", err, part)
		}
	}
}
