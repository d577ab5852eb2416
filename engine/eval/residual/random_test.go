package residual_test

import (
	"encoding/json"
	"flag"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/verdictpdp/verdict/api/authz"
	"github.com/verdictpdp/verdict/bundles"
	"github.com/verdictpdp/verdict/engine/eval/residual"
	"github.com/verdictpdp/verdict/policy/bundle"
	"github.com/verdictpdp/verdict/policy/rego"
)

var (
	firstSeed = flag.Uint64("first-seed", 0, "the first random policy")
	seeds     = flag.Uint64("seeds", 160, "how many random policies are tried")
)

// What is left of random policies takes in every entity that they allow, and where
// it says that it is exact, no other.
func TestRandomPolicies(t *testing.T) {
	seeds := *seeds
	if testing.Short() {
		seeds /= 4
	}
	library, err := bundle.ReadFS(bundles.FS, "lib")
	if err != nil {
		t.Fatal(err)
	}
	var compiled, exact, allowed, narrowed int
	for seed := *firstSeed; seed < *firstSeed+seeds; seed++ {
		g := generator{rand.New(rand.NewPCG(seed, 7))}
		source := g.policy()
		own, err := bundle.ReadFS(fstest.MapFS{"authz.rego": {Data: []byte(source)}}, ".")
		if err != nil {
			t.Fatalf("%v\n%s", err, source)
		}
		policy, err := rego.Compile(own.With(library), rego.Options{})
		if err != nil {
			continue // such as a type that never fits
		}
		compiled++
		w := newWorld(t, policy, "t", g.directory()...)
		for _, unknown := range []residual.Unknown{residual.Resource, residual.Subject} {
			request := authz.Request{
				Tenant: "t", Subject: authz.Subject{Type: "user", ID: "u1"}, Action: authz.Action{Name: "read"},
				Resource: authz.Resource{Type: g.pick("user", "doc"), ID: "u2"},
			}
			left, allows, fulfilling, all := w.check(t, request, unknown)
			if t.Failed() {
				t.Fatalf("seed %d, %s unknown: %d alternatives, exact %t, unexpressed %v\n%s", seed, unknown, len(left.Any), left.Exact, left.Unexpressed, source)
			}
			allowed += allows
			if left.Exact {
				exact++
			}
			if fulfilling < all {
				narrowed++
			}
		}
	}
	t.Logf("%d policies, %d allowed, of %d residuals %d are exact and %d narrow", compiled, allowed, 2*compiled, exact, narrowed)
	if compiled < int(seeds)/2 || exact < compiled/3 || narrowed < compiled/3 || allowed == 0 {
		t.Error("too few policies are worth asking")
	}
}

// A generator writes policies and directories.
type generator struct{ *rand.Rand }

func (g generator) pick(options ...string) string { return options[g.IntN(len(options))] }

func (g generator) constant() string {
	return g.pick(`"a"`, `"b"`, `"a b"`, `1`, `2`, `true`, `false`, `null`, `"user:u1"`, `"user:u2"`, `""`)
}

func (g generator) name() string { return g.pick("p", "q", "tags", "owner") }

// entity is a way to the entity that is asked about.
func (g generator) entity() string {
	part := g.pick("resource", "resource", "subject")
	return strings.ReplaceAll(g.pick(
		"request.PART", "request.PART", "request.PART", "request.PART",
		"data.directory[input.PART.type][input.PART.id]",
		`data.directory.ref[concat(":", [input.PART.type, input.PART.id])]`,
		"data.directory.ref[request.PART_ref]",
	), "PART", part)
}

func (g generator) condition() string {
	e, a, b, c, d := g.entity(), g.name(), g.name(), g.constant(), g.constant()
	x := fmt.Sprintf("x%d", g.IntN(1_000_000))
	templates := []string{
		"E.attributes.A == C", "C == E.attributes.A", "E.attributes.A != C", "E.attributes.A < C", "E.attributes.A >= C", "C < E.attributes.A", "C >= E.attributes.A",
		"E.attributes.A in {C, D}", "E.attributes.A in [C, D]", "C in E.attributes.A", "E.attributes.A[_] == C", "E.attributes.A[X] == C", "C == E.attributes.A[_]",
		"some X in E.attributes.A\n\tX == C", "some X in E.attributes.A\n\tX in {C, D}", "some X in E.attributes.A\n\tX != C", "some X in E.attributes.A\n\tnot X == C",
		"some X in E.attributes.A\n\tX >= C\n\tX <= D", "E.attributes.A", "not E.attributes.A", "E.attributes.nested.A == C", "E.attributes[A1] == C",
		`object.get(E.attributes, "A", C) == D`, `object.get(E.attributes, "A", C) == C`, `object.get(E.attributes, "A", C) != D`, `object.get(E.attributes, "A", C) < D`,
		`startswith(E.attributes.owner, "user:")`, `endswith(E.attributes.owner, "1")`, `contains(E.attributes.owner, "r:u")`, `startswith(E.attributes.A, "a")`,
		"is_string(E.attributes.A)", "is_number(E.attributes.A)", "is_array(E.attributes.A)", "is_boolean(E.attributes.A)", "is_null(E.attributes.A)",
		`E.ancestors["department:d1"]`, `"department:d1" in E.ancestors`, `E.ancestors[_] == "department:d2"`, `E.parents[_] == "department:d1"`, `"department:d2" in E.parents`,
		`E.ancestors["tenant:t"]`, `E.ancestors["user:u2"]`, `E.ancestors[E.attributes.owner]`, `E.ancestors[request.subject.ref]`, `E.distances["department:d1"] < 2`,
		`count({X | some X in E.ancestors; startswith(X, "department:")}) > 0`, `count({X | some X in E.ancestors; startswith(X, "department:")}) == 0`,
		`count({X | some X in E.ancestors; startswith(X, "depart")}) > 1`, `"department:d1" in {X | some X in E.ancestors; startswith(X, "department:")}`,
		`some X in hierarchy.ancestors_of_type(E, "department")` + "\n\thierarchy.within(request.subject, X)",
		`input.resource.id == "u1"`, `input.subject.id in {"u1", "u3"}`, `input.resource.id != input.subject.id`, `input.resource.id == input.subject.id`, `startswith(input.resource.id, "u")`,
		`E.id == "u2"`, `E.ref == "user:u1"`, `E.ref != "user:u1"`, `E.type == "user"`, `E.ref == E.attributes.owner`, "E.attributes.owner == request.subject.ref", "E.attributes.owner == request.resource.ref",
		"E.attributes.A == E.attributes.B", "E.attributes.A == request.subject.attributes.B", "E.attributes.A == request.resource.attributes.B", "request.resource == request.subject",
		"data.directory.ref[E.attributes.owner].attributes.A == C", "data.directory.user[input.resource.id].attributes.A == C", "data.directory.doc[input.subject.id].attributes.A == C",
		"data.directory.user.u2.attributes.A == C", "data.directory.user[X].attributes.A == E.attributes.A", "some X\n\tdata.directory.user[X].attributes.A == C\n\tX == E.attributes.B",
		"X := E.attributes.A\n\tnot X == C", "X := E.attributes.A\n\tnot X != C", "X := level(E)\n\tnot X == C", "X := value\n\tnot X == C", "X := E.attributes.A\n\tnot X", "not unequal(E)", "unequal(E)",
		"r := input.resource\n\tdata.directory[r.type][r.id].attributes.A == C", "r := E\n\tr.attributes.A == C\n\tr.attributes.B != D",
		`input.resource == {"type": "user", "id": "u2", "properties": {}}`, "E.attributes.A == [C]", "E.attributes.n + 1 > 2", "count(E.attributes.tags) > 1", "count(E.parents) == 1",
		"every X in E.attributes.tags { X != C }", "every X in [C, D] { X != E.attributes.A }", "every X in {C, D} { X in E.attributes.tags }",
		"some i\n\tE.attributes.A[i] == C\n\tE.attributes.B[i] == D", "some i\n\tE.attributes.A[i] == C\n\ti == 0", "E.attributes.tags[0] == C",
		"helper(E)", "not helper(E)", "marked", "not marked", "count(set) > 0", "count(set) == 0", "count(set) >= 1", "count(set) > 1", "some X in set\n\tX == C", "set[C]", "level(E) == C", "value == C", "not value == C", "value",
		"object_of[X] == C", "count(object_of) > 0", "rbac.permitted", "not rbac.permitted", "count(rbac.grants) > 0", "request.resource_known", "not request.subject_known",
		"some X in E.grants\n\tX.role == \"role:r\"", "E.grants_by_scope[\"department:d1\"]", "some X in E.grants_by_scope[\"tenant:t\"]\n\trbac.in_force(X)",
		`claims.resource.A == C`, `object.union(E.attributes, {"p": C}).A == D`, `sprintf("%v", [E.attributes.A]) == "a"`, `lower(E.attributes.owner) == "user:u1"`, `time.now_ns() > E.attributes.n`,
		`X := [1 | E.attributes.A == C]` + "\n\tcount(X) == 1", `{1 | E.attributes.A == C} == set()`, "not set() == {1 | E.attributes.A == C}",
		"[C, D][_] == E.attributes.A", `{"a": C, "b": D}[E.attributes.A] == C`, `{"a": 1, "b": 2}[E.attributes.A]`, "[X, Y] := [E.attributes.A, E.attributes.B]\n\tX == C\n\tY == D",
		"not E.attributes.A == C", "not E.attributes.A != C", "not C in E.attributes.A", `not E.ancestors["department:d1"]`, "not E.parents[_] == \"department:d1\"", "not startswith(E.attributes.owner, \"user:\")", "not E.attributes.A in {C, D}", "not is_string(E.attributes.A)", "not object.get(E.attributes, \"A\", C) == D", "not E.attributes.A < C", "not input.resource.id == \"u1\"", "not E.attributes.A[_] == C",
	}
	return strings.NewReplacer("A1", fmt.Sprintf("%q", a), "A", a, "B", b, "C", c, "D", d, "X", x, "Y", x+"y", "E", e).Replace(templates[g.IntN(len(templates))])
}

func (g generator) body() string {
	lines := make([]string, 1+g.IntN(3))
	for i := range lines {
		lines[i] = "\t" + g.condition()
	}
	return "{\n" + strings.Join(lines, "\n") + "\n}\n"
}

func (g generator) simple() string {
	return strings.NewReplacer("A", g.name(), "C", g.constant(), "E", "e").Replace(g.pick("E.attributes.A == C", "C in E.attributes.A", `E.ancestors["department:d1"]`, "not E.attributes.A == C", "E.attributes.A", `E.id == "u2"`, "E.attributes.A < C"))
}

func (g generator) policy() string {
	var text strings.Builder
	text.WriteString("package authz\n\n" + g.pick("import rego.v2", "import rego.v2", "import rego.v1") + "\nimport data.verdict.claims\nimport data.verdict.hierarchy\nimport data.verdict.rbac\nimport data.verdict.request\n\n")
	if g.IntN(2) == 0 {
		text.WriteString("default allow := false\n\n")
	}
	for range 1 + g.IntN(3) {
		text.WriteString("allow if " + g.body() + "\n")
	}
	for range g.IntN(3) {
		text.WriteString("deny contains " + g.pick(`"no"`, `"never"`, `sprintf("%s", [request.resource_ref])`, `sprintf("%v", [request.resource.attributes.p])`) + " if " + g.body() + "\n")
	}
	if g.IntN(2) == 0 {
		text.WriteString("default marked := false\n")
	}
	// Helpers use no others, so that none is its own.
	text.WriteString("marked if {\n\te := request.resource\n\t" + g.simple() + "\n}\nmarked if {\n\te := request.subject\n\t" + g.simple() + "\n\t" + g.simple() + "\n}\n")
	text.WriteString("helper(e) if {\n\t" + g.simple() + "\n}\nhelper(e) if {\n\t" + g.simple() + "\n\t" + g.simple() + "\n}\n")
	text.WriteString("unequal(e) if {\n\tx := e.attributes." + g.name() + "\n\tnot x " + g.pick("==", "!=", "<") + " " + g.constant() + "\n}\n")
	text.WriteString("set contains " + g.constant() + " if {\n\te := request.resource\n\t" + g.simple() + "\n}\nset contains e.attributes." + g.name() + " if {\n\te := request." + g.pick("resource", "subject") + "\n\t" + g.simple() + "\n}\n")
	text.WriteString("level(e) := " + g.constant() + " if {\n\t" + g.simple() + "\n} else := " + g.constant() + " if {\n\t" + g.simple() + "\n}\n")
	text.WriteString("value := " + g.constant() + " if {\n\te := request.resource\n\t" + g.simple() + "\n}" + g.pick("", " else := "+g.constant()) + "\n")
	text.WriteString("object_of[" + g.constant() + "] := e.id if {\n\te := request.resource\n\t" + g.simple() + "\n}\n")
	return text.String()
}

// directory has entities with attributes of all types, and grants.
func (g generator) directory() (changes []authz.Change) {
	put := func(e authz.Entity) { changes = append(changes, authz.Change{PutEntity: &e}) }
	ref := func(text string) authz.EntityRef {
		typ, id, _ := strings.Cut(text, ":")
		return authz.EntityRef{Type: typ, ID: id}
	}
	put(authz.Entity{Ref: ref("department:d1"), Parents: []authz.EntityRef{ref("department:d2")}})
	put(authz.Entity{Ref: ref("department:d2")})
	put(authz.Entity{Ref: ref("role:r"), Attributes: json.RawMessage(`{"permissions":["doc:read","user:read"]}`)})
	values := []any{"a", "b", "a b", "", int64(1), int64(2), 1.5, true, false, nil, "user:u1", "user:u2", []any{"a", int64(1)}, []any{}, []any{"b", true, "user:u1"}, map[string]any{"k": "a"}}
	for _, typ := range []string{"user", "doc"} {
		for i := range 6 {
			e := authz.Entity{Ref: authz.EntityRef{Type: typ, ID: fmt.Sprintf("u%d", i)}}
			attributes := authz.Object{}
			for _, name := range []string{"p", "q", "tags", "owner", "n"} {
				if g.IntN(4) > 0 {
					attributes[name] = values[g.IntN(len(values))]
				}
			}
			if g.IntN(3) > 0 {
				attributes["owner"] = g.pick("user:u1", "user:u2", "doc:u1", "user:gone")
			}
			if g.IntN(2) > 0 {
				attributes["tags"] = values[12+g.IntN(3)]
			}
			if g.IntN(2) > 0 {
				attributes["n"] = int64(g.IntN(3))
			}
			if g.IntN(3) == 0 {
				attributes["nested"] = map[string]any{"p": values[g.IntN(len(values))], "q": "a"}
			}
			for _, parent := range []string{"department:d1", "department:d2"} {
				if g.IntN(3) == 0 {
					e.Parents = append(e.Parents, ref(parent))
				}
			}
			e.Attributes, _ = json.Marshal(attributes)
			put(e)
		}
	}
	for i, subject := range []string{"user:u1", "user:u2", "department:d1"} {
		if g.IntN(2) == 0 {
			scope := ref(g.pick("department:d1", "department:d2", "user:u2", "tenant:t"))
			changes = append(changes, authz.Change{PutGrant: &authz.Grant{ID: fmt.Sprint("g", i), Subject: ref(subject), Role: ref("role:r"), Scope: scope}})
		}
	}
	return changes
}
