package pdp_test

import (
	"encoding/json"
	"flag"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"github.com/verdictpdp/verdict/api/authz"
	"github.com/verdictpdp/verdict/bundles"
	"github.com/verdictpdp/verdict/engine/directory"
	"github.com/verdictpdp/verdict/engine/eval/closure"
	"github.com/verdictpdp/verdict/engine/pdp"
	"github.com/verdictpdp/verdict/policy/bundle"
	"github.com/verdictpdp/verdict/policy/rego"
)

var (
	firstSeed = flag.Uint64("first-seed", 0, "the first random policy")
	seeds     = flag.Uint64("seeds", 120, "how many random policies are searched by")
)

// conditions are what rules of random policies are made of: $E is an entity of the
// request, the $P, and $O the other one; $R and $S are refs, $I an id, $x a variable.
var conditions = []string{
	// Of attributes that name entities.
	"$E.attributes.owner == $O.ref", "$E.attributes.owner == $R", "$E.attributes.owner in {$R, $S}", "$E.attributes.owner == $O.attributes.owner", "$E.attributes.owner in $O.attributes.readers",
	"$O.ref in $E.attributes.readers", "$R in $E.attributes.readers", "some $x in $E.attributes.readers\n$x == $R", "some $x in $E.attributes.readers\n$x in {$R, $S}", "$E.attributes.readers[_] == $O.ref",
	"some $x in $O.parents\n$x in $E.attributes.readers", "some $x in $E.attributes.readers\n$x in $O.parents", "some $x in $E.attributes.readers\n$O.ancestors[$x]", "$R in $E.attributes.roles", "$E.attributes.roles.chief == $O.ref",
	"some $x in $E.attributes.readers\n$x in $E.parents", `object.get($E.attributes, "owner", "user:none") == $O.ref`, `object.get($E.attributes, "owner", $R) == $R`, "data.directory.ref[$E.attributes.owner].attributes.level > 1",
	// Of hierarchies.
	"$E.ancestors[$R]", "$R in $E.ancestors", "$R in $E.parents", "$E.parents[_] == $R", "some $x in $O.parents\n$E.ancestors[$x]", "some $x in $O.ancestors\n$E.ancestors[$x]\nstartswith($x, \"unit:\")", "some $x in $E.parents\n$O.ancestors[$x]",
	"some $x in $E.ancestors\n$x in $O.parents", "$E.ancestors[$O.attributes.owner]", "$E.ancestors[$O.ref]", "hierarchy.within($E, $R)", "some $x in hierarchy.ancestors_of_type($E, \"unit\")\nhierarchy.within($O, $x)", "$E.distances[$R] < 2",
	// Of grants.
	"some $x in $O.grants\n$E.ancestors[$x.scope]", "some $x in $E.grants\n$O.ancestors[$x.scope]", "some $x in $E.grants\n$x.scope == $R", "some $x in $E.grants_by_scope[$R]\n$x.role == \"role:reader\"",
	"some $xs in $O.ancestors\nsome $x in $E.grants_by_scope[$xs]\n$x.role == \"role:reader\"", "some $x in $O.grants\n$x.role == \"role:reader\"\n$x.scope == $E.ref", "some $x in $O.grants\nrbac.in_force($x)\n$E.ancestors[$x.scope]",
	"some $x in $E.grants\n$x.not_after_ns > time.now_ns()\n$O.ancestors[$x.scope]", "some $x in $E.grants_by_scope[$R]\nrbac.in_force($x)", "some $x in $E.grants\nrbac.in_force($x)", "some $x in $O.grants\nrbac.in_force($x)", "some $x in $E.grants_by_scope[\"unit:1\"]\nrbac.in_force($x)", "rbac.permitted", "count(rbac.grants) > 0",
	// Of ids.
	"input.$P.id == $I", "input.$P.id in {$I, \"gone\"}", "$E.ref == $R", "$E.id == $I", "input.$P.id == $O.attributes.twin", `concat(":", [input.$P.type, input.$P.id]) == $O.attributes.owner`, `concat(":", [input.$P.type, input.$P.id]) in $O.attributes.readers`,
	// That no index answers.
	"$E.attributes.level < 2", "$E.attributes.level == $O.attributes.level", "$E.attributes.locked == false", "not $E.attributes.locked", "$E.attributes.owner != $O.ref", `startswith($E.attributes.owner, "user:")`, "count($E.attributes.readers) > 1", "$E.attributes.owner == $E.attributes.readers[0]",
	"not $E.attributes.owner == $O.ref", "not $E.ancestors[$R]", "not $R in $E.attributes.readers", "every $x in $E.attributes.readers { $x != $R }",
	// Of what is known.
	`input.action.name == "read"`, "input.context.mfa", "$O.attributes.level > 0", "not $O.attributes.locked", "time.now_ns() > 0", "input.$P.properties.claimed", "request.resource_known", "marked",
}

// A policyWriter writes random policies.
type policyWriter struct {
	*rand.Rand
	variables int
}

func (w *policyWriter) pick(options ...string) string { return options[w.IntN(len(options))] }

func (w *policyWriter) body(most int) string {
	var lines []string
	for range 1 + w.IntN(most) {
		part, other := "resource", "subject"
		if w.IntN(3) == 0 {
			part, other = other, part
		}
		w.variables++
		lines = append(lines, strings.NewReplacer(
			"$E", part, "$O", other, "$P", part, "$R", quoted(w.ref()), "$S", quoted(w.ref()), "$I", quoted(w.pick(oddIDs...)), "$x", fmt.Sprint("x", w.variables), "\n", "\n\t",
		).Replace(w.pick(conditions...)))
	}
	return "{\n\t" + strings.Join(lines, "\n\t") + "\n}\n"
}

func (w *policyWriter) ref() string {
	return w.pick("unit", "unit", "user", "doc") + ":" + w.pick(oddIDs...)
}

func quoted(text string) string {
	quoted, _ := json.Marshal(text) // which no text fails
	return string(quoted)
}

func (w *policyWriter) policy() string {
	var text strings.Builder
	text.WriteString("package authz\n\nimport rego.v2\nimport data.verdict.hierarchy\nimport data.verdict.rbac\nimport data.verdict.request\n\n")
	text.WriteString(w.pick(
		"resource := data.directory[input.resource.type][input.resource.id]\nsubject := data.directory[input.subject.type][input.subject.id]\n",
		"resource := request.resource\nsubject := request.subject\n",
		"resource := data.directory.ref[request.resource_ref]\nsubject := data.directory.ref[request.subject_ref]\n",
	))
	text.WriteString(w.pick("", "default allow := false\n"))
	for range 1 + w.IntN(3) {
		text.WriteString("allow if " + w.body(2))
	}
	for range w.IntN(3) {
		text.WriteString("deny contains " + w.pick(`"no"`, `sprintf("%s", [input.action.name])`) + " if " + w.body(2))
	}
	text.WriteString(w.pick("", "default marked := false\n"))
	text.WriteString("marked if " + strings.ReplaceAll(w.body(2), "marked", "input.context.mfa"))
	return text.String()
}

// oddIDs are the ids of entities, of which some are never there.
var oddIDs = []string{"1", "2", "3", "any", "a:b", "Ä 😀", "nul\x00", `quote"`, strings.Repeat("l", 512), "never"}

// changes are writes: entities come, change, go and come again, and so do grants.
func (w *policyWriter) changes(n int) (changes []authz.Change) {
	for range n {
		id := w.pick(oddIDs[:len(oddIDs)-1]...)
		switch typ := w.pick("user", "user", "doc", "doc", "unit", "grant", "grant", "grant", "role"); typ {
		case "grant":
			if id = fmt.Sprint("g", w.IntN(12)); w.IntN(5) == 0 {
				changes = append(changes, authz.Change{DeleteGrant: &id})
				continue
			}
			g := authz.Grant{ID: id, Subject: parsed(w.ref()), Role: parsed(w.pick("role:reader", "role:else"))}
			if w.IntN(4) > 0 {
				g.Scope = parsed(w.ref())
			}
			if w.IntN(5) == 0 {
				g.Subject = authz.Root("t")
			}
			if w.IntN(2) == 0 {
				g.NotAfter = noon.Add(time.Duration(w.IntN(6)-1) * 20 * time.Second)
			}
			changes = append(changes, authz.Change{PutGrant: &g})
		case "role":
			e := authz.Entity{Ref: parsed("role:reader"), Attributes: []byte(w.pick(`{"permissions": ["doc:read"]}`, `{"permissions": ["*:read", "user:*"]}`, `{"permissions": []}`))}
			changes = append(changes, authz.Change{PutEntity: &e})
		default:
			ref := authz.EntityRef{Type: typ, ID: id}
			if w.IntN(6) == 0 {
				changes = append(changes, authz.Change{DeleteEntity: &ref})
				continue
			}
			changes = append(changes, authz.Change{PutEntity: w.entity(ref)})
		}
	}
	return changes
}

func parsed(ref string) authz.EntityRef {
	typ, id, _ := strings.Cut(ref, ":")
	return authz.EntityRef{Type: typ, ID: id}
}

// entity has parents after it in the order of ids, or of another type, so that no
// cycle comes about.
func (w *policyWriter) entity(ref authz.EntityRef) *authz.Entity {
	e := &authz.Entity{Ref: ref}
	for range w.IntN(3) {
		parent := authz.EntityRef{Type: "unit", ID: w.pick(oddIDs...)}
		if ref.Type == "user" && w.IntN(4) == 0 {
			parent.Type = "user"
		}
		if (parent.Type != ref.Type || parent.ID > ref.ID) && !slices.Contains(e.Parents, parent) {
			e.Parents = append(e.Parents, parent)
		}
	}
	attributes := authz.Object{
		"owner": w.ref(), "readers": []any{w.ref(), w.ref()}, "roles": map[string]any{"chief": w.ref(), "n": int64(1)},
		"level": int64(w.IntN(4)), "locked": w.IntN(2) == 0, "twin": w.pick(oddIDs...),
	}
	for _, name := range slices.Sorted(maps.Keys(attributes)) {
		if w.IntN(4) == 0 {
			delete(attributes, name)
		}
	}
	e.Attributes, _ = json.Marshal(attributes)
	return e
}

// Whatever a policy rests on, and however a directory came to be what it is, a search
// finds what checks do at its revision and its time, though the directory changes and
// the clock goes on between its pages.
func TestSearchEqualsCheckAtItsRevision(t *testing.T) {
	seeds := *seeds
	if testing.Short() {
		seeds /= 8
	}
	library, err := bundle.ReadFS(bundles.FS, "lib")
	if err != nil {
		t.Fatal(err)
	}
	var searches, found int
	by := make(map[string]int)
	for seed := *firstSeed; seed < *firstSeed+seeds; seed++ {
		w := &policyWriter{Rand: rand.New(rand.NewPCG(seed, 11))}
		text := w.policy()
		policy, err := compiledOf(t, text, library)
		if err != nil {
			t.Fatalf("seed %d: %v\n%s", seed, err, text)
		}
		now := noon
		p, store := openStoreAt(t, policy, func() time.Time { return now })
		for range 8 + w.IntN(24) {
			write(t, store, w.changes(1+w.IntN(6))...)
		}
		for range 6 {
			request := &authz.Request{
				Tenant: "t", Action: authz.Action{Name: w.pick("read", "read", "write")},
				Subject:  authz.Subject{Type: w.pick("user", "user", "unit"), ID: w.pick(oddIDs...)},
				Resource: authz.Resource{Type: w.pick("doc", "doc", "user"), ID: w.pick(oddIDs...)},
				Context:  authz.Object{"mfa": w.IntN(2) == 0},
			}
			what, typ := pdp.Resources, request.Resource.Type
			if w.IntN(2) == 0 {
				what, typ = pdp.Subjects, request.Subject.Type
			}
			search := pdp.Search{For: what, Request: request, Limit: 1 + w.IntN(3)}
			want := checkedAt(t, p, store, what, request, typ)
			begun := now
			page, err := p.Search(t.Context(), search)
			ids := page.IDs
			for ; err == nil && page.Next != ""; ids = append(ids, page.IDs...) {
				if w.IntN(3) == 0 {
					write(t, store, w.changes(3)...)
				}
				if w.IntN(3) == 0 {
					p.ForgetSearches()
				}
				now = now.Add(30 * time.Second)
				search.Token = page.Next
				page, err = p.Search(t.Context(), search)
			}
			now = begun
			if err != nil || !slices.Equal(ids, want) {
				t.Fatalf("seed %d, for %d of %+v: found %q by %v, want %q: %v\n%q\n%s", seed, what, *request, ids, page.Method, want, err, page.Notes, text)
			}
			searches++
			found += len(ids)
			for _, index := range indexesIn(page) {
				by[fmt.Sprintf("%d %s", what, index)]++
			}
		}
		if err := store.Close(); err != nil {
			t.Fatal(err)
		}
	}
	t.Logf("%d searches found %d; of subjects (%d) and of resources (%d) by %v", searches, found, pdp.Subjects, pdp.Resources, by)
	for _, what := range []pdp.SearchFor{pdp.Subjects, pdp.Resources} {
		for _, index := range []string{"ids", "references", "children", "grants", "none", "scan"} {
			if index == "grants" && what == pdp.Resources { // which rarely hold any
				continue
			}
			if key := fmt.Sprintf("%d %s", what, index); by[key] < searches/200 {
				t.Errorf("of %d searches, %d by %s", searches, by[key], key)
			}
		}
	}
	if found < searches/10 {
		t.Errorf("%d searches found %d", searches, found)
	}
}

// indexesIn are the indexes that a page was found by.
func indexesIn(page pdp.Found) (indexes []string) {
	if page.Method == pdp.ByScan {
		return []string{"scan"}
	}
	for _, note := range page.Notes {
		if _, rest, is := strings.Cut(note, "the index of "); is {
			index, _, _ := strings.Cut(rest, " ")
			indexes = append(indexes, index)
		} else {
			indexes = append(indexes, "none")
		}
	}
	slices.Sort(indexes)
	return slices.Compact(indexes)
}

// checkedAt are the ids of the type that Decide allows.
func checkedAt(t *testing.T, p *pdp.PDP, store *directory.Directory, what pdp.SearchFor, request *authz.Request, typ string) []string {
	t.Helper()
	snapshot, err := store.Snapshot(t.Context(), "t", authz.Consistency{})
	if err != nil {
		t.Fatal(err)
	}
	defer snapshot.Close()
	var ids []string
	if err := snapshot.EachID(typ, "", func(id string) bool { ids = append(ids, id); return true }); err != nil {
		t.Fatal(err)
	}
	return checked(t, p, what, request, ids)
}

// compiledOf is a policy with a library.
func compiledOf(t *testing.T, text string, library *bundle.Bundle) (pdp.Policy, error) {
	t.Helper()
	own, err := bundle.ReadFS(fstest.MapFS{"policy.rego": {Data: []byte(text)}}, ".")
	if err != nil {
		return pdp.Policy{}, err
	}
	compiled, err := rego.Compile(own.With(library), rego.Options{})
	if err != nil {
		return pdp.Policy{}, err
	}
	program, err := closure.New().Prepare(t.Context(), compiled)
	return pdp.Policy{Program: program, Compiled: compiled, Revision: "p1"}, err
}
