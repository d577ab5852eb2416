package pdp_test

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"unicode/utf8"

	"github.com/verdictpdp/verdict/api/authz"
	"github.com/verdictpdp/verdict/engine/pdp"
	"github.com/verdictpdp/verdict/engine/pip/piptest"
)

// doors are what may open a document, by the index that leads there; an empty one
// is of none.
var doors = []struct{ name, rule, index string }{
	{"ownership", `allow if data.directory.doc[input.resource.id].attributes.owner == data.directory.user[input.subject.id].ref`, "references"},
	{"a list of readers", `allow if data.directory.user[input.subject.id].ref in data.directory.doc[input.resource.id].attributes.readers`, "references"},
	{"a reader's group", `allow if { some group in data.directory.user[input.subject.id].parents; group in data.directory.doc[input.resource.id].attributes.readers }`, "references"},
	{"the department", `allow if { some department in data.directory.user[input.subject.id].parents; data.directory.doc[input.resource.id].ancestors[department] }`, "children"},
	{"a grant", `allow if {
	some grant in data.directory.user[input.subject.id].grants
	grant.role == "role:reader"
	data.directory.doc[input.resource.id].ancestors[grant.scope]
}`, "children"},
	{"a parent", `allow if "department:1" in data.directory.doc[input.resource.id].parents`, "children"},
	{"one document", `allow if input.resource.id == "d001"`, "ids"},
	{"ownership and more", `allow if {
	data.directory.doc[input.resource.id].attributes.owner == data.directory.user[input.subject.id].ref
	data.directory.doc[input.resource.id].attributes.level < 3
	not data.directory.doc[input.resource.id].attributes.locked
}`, "references"},
	{"a level", `allow if data.directory.doc[input.resource.id].attributes.level < 1`, ""},
	{"what is not locked", `allow if data.directory.doc[input.resource.id].attributes.locked == false`, ""},
	{"a comparison of two attributes", `allow if { doc := data.directory.doc[input.resource.id]; doc.attributes.owner == doc.attributes.readers[0] }`, ""},
	{"nothing", `allow if data.directory.user[input.subject.id].attributes.never`, "none of the type"},
}

const lockedDoor = `
deny contains "locked" if { data.directory.doc[input.resource.id].attributes.locked; input.action.name == "write" }
`

// library is documents with owners, readers and levels in departments, and grants.
func library(t testing.TB, r *rand.Rand, users, docs int) []authz.Change {
	t.Helper()
	var lines strings.Builder
	for i := range 6 {
		parents := "[]"
		if i > 0 && r.IntN(2) == 0 {
			parents = fmt.Sprintf(`["department:%d"]`, r.IntN(i))
		}
		fmt.Fprintf(&lines, `{"entity": {"type": "department", "id": "%d", "parents": %s}}`+"\n", i, parents)
	}
	for i := range users {
		fmt.Fprintf(&lines, `{"entity": {"type": "user", "id": "u%03d", "parents": ["department:%d"]}}`+"\n", i, r.IntN(6))
	}
	for i := range docs {
		fmt.Fprintf(&lines, `{"entity": {"type": "doc", "id": "d%03d", "attributes": {"owner": "user:u%03d", "level": %d, "locked": %t, "readers": ["user:u%03d", "department:%d"]}, "parents": ["department:%d"]}}`+"\n",
			i, r.IntN(users+1), r.IntN(4), r.IntN(3) == 0, r.IntN(users), r.IntN(6), r.IntN(7))
	}
	for i := range users / 4 {
		scope := fmt.Sprintf("department:%d", r.IntN(6))
		if r.IntN(3) == 0 {
			scope = fmt.Sprintf("doc:d%03d", r.IntN(docs))
		}
		fmt.Fprintf(&lines, `{"grant": {"id": "g%d", "subject": "user:u%03d", "role": "role:%s", "scope": %q}}`+"\n", i, r.IntN(users), []string{"reader", "else"}[r.IntN(2)], scope)
	}
	return piptest.Lines(t, lines.String())
}

// Each door by itself is found by its index, and finds what checking does.
func TestIndexesLeadToCandidates(t *testing.T) {
	for _, door := range doors {
		t.Run(door.name, func(t *testing.T) {
			p, w := newPDPOf(nil, pdp.Limits{})
			w.policy = policyOf(t, "package authz\n\nimport rego.v2\n\n"+door.rule+"\n"+lockedDoor)
			w.directory.Write(library(t, rand.New(rand.NewPCG(1, 0)), 30, 200)...)
			w.directory.Write(piptest.Lines(t, `{"grant": {"id": "own", "subject": "user:u001", "role": "role:reader", "scope": "department:2"}}`)...)
			request := newRequest()
			request.Subject.ID = "u001"
			found, err := p.Search(t.Context(), pdp.Search{For: pdp.Resources, Request: request, Limit: pdp.MaxSearchLimit})
			if err != nil {
				t.Fatal(err)
			}
			if wantIndex := door.index != ""; (found.Method == pdp.ByIndex) != wantIndex {
				t.Fatalf("found by %v: %q", found.Method, found.Notes)
			}
			if len(found.Notes) == 0 || !strings.Contains(strings.Join(found.Notes, "\n"), door.index) {
				t.Errorf("the notes do not name the index %q: %q", door.index, found.Notes)
			}
			if found.Method == pdp.ByScan && found.Candidates != 200 || found.Method == pdp.ByIndex && found.Candidates == 200 {
				t.Errorf("%d candidates by %v", found.Candidates, found.Method)
			}
			if want := checked(t, p, pdp.Resources, request, docIDs(200)); !slices.Equal(found.IDs, want) {
				t.Errorf("found %v, want %v", found.IDs, want)
			}
		})
	}
}

// Of the conditions that all have to hold, the index is asked that leads to few.
func TestTheIndexIsTakenThatLeadsToFew(t *testing.T) {
	p, store := openStoreOf(t, policyOf(t, `package authz

import rego.v2

doc := data.directory.doc[input.resource.id]

allow if {
	doc.attributes.class == "class:public"
	doc.ancestors["folder:small"]
}
`))
	var changes []authz.Change
	for i := range 2_000 {
		parent := "large"
		if i%800 == 7 {
			parent = "small"
		}
		changes = append(changes, authz.Change{PutEntity: &authz.Entity{
			Ref: ref("doc", fmt.Sprintf("d%04d", i)), Parents: []authz.EntityRef{ref("folder", parent)}, Attributes: []byte(`{"class": "class:public"}`),
		}})
	}
	for part := range slices.Chunk(changes, 1_000) {
		write(t, store, part...)
	}
	found, err := p.Search(t.Context(), pdp.Search{For: pdp.Resources, Request: newRequest()})
	if want := []string{"d0007", "d0807", "d1607"}; err != nil || !slices.Equal(found.IDs, want) {
		t.Errorf("found %v, want %v: %v", found.IDs, want, err)
	}
	if found.Method != pdp.ByIndex || found.Candidates != 3 {
		t.Errorf("%d candidates by %v: %q", found.Candidates, found.Method, found.Notes)
	}
}

// What deny rules out is left to the decisions, unless allow leads to very many or to
// no index.
func TestDenyNarrowsWhatAllowDoesNot(t *testing.T) {
	p, store := openStoreOf(t, policyOf(t, `package authz

import rego.v2

doc := data.directory.doc[input.resource.id]

allow if input.action.name == "list"
allow if {
	input.action.name == "read"
	doc.attributes.class == "class:public"
}
allow if {
	input.action.name == "write"
	doc.attributes.owner == "user:ann"
}
deny contains "not of the folder" if not "folder:small" in doc.parents
`))
	var changes []authz.Change
	for i := range 2_000 {
		parent, owner := "large", "bob"
		if i%800 == 7 {
			parent = "small"
		}
		if i < 100 {
			owner = "ann"
		}
		changes = append(changes, authz.Change{PutEntity: &authz.Entity{
			Ref: ref("doc", fmt.Sprintf("d%04d", i)), Parents: []authz.EntityRef{ref("folder", parent)},
			Attributes: fmt.Appendf(nil, `{"class": "class:public", "owner": "user:%s"}`, owner),
		}})
	}
	for part := range slices.Chunk(changes, 1_000) {
		write(t, store, part...)
	}
	for _, test := range []struct {
		action     string
		candidates int
		index      string
	}{
		{"list", 3, "children"}, // allow leads to no index
		{"read", 3, "children"}, // it leads to 2,000
		{"write", 100, "references"},
	} {
		request := newRequest()
		request.Action.Name = test.action
		found, err := p.Search(t.Context(), pdp.Search{For: pdp.Resources, Request: request})
		if err != nil || found.Method != pdp.ByIndex || found.Candidates != test.candidates || !strings.Contains(found.Notes[0], test.index) {
			t.Errorf("%s: %d candidates by %v, want %d by the index of %s: %q, %v", test.action, found.Candidates, found.Method, test.candidates, test.index, found.Notes, err)
		}
		if want := []string{"d0007", "d0807", "d1607"}; test.action != "write" && !slices.Equal(found.IDs, want) {
			t.Errorf("%s: found %v, want %v", test.action, found.IDs, want)
		}
	}
}

// Searches that go on while the directory is written find what there was at one
// revision, by an index or a scan.
func TestSearchesWhileTheDirectoryIsWritten(t *testing.T) {
	p, store := openStoreOf(t, policyOf(t, `package authz

import rego.v2

doc := data.directory.doc[input.resource.id]

allow if doc.attributes.owner == data.directory.user[input.subject.id].ref
allow if {
	input.action.name == "scan"
	startswith(doc.attributes.owner, "user:ann")
}
`))
	const docs = 40
	handOver := func(to string) {
		batch := []authz.Change{{PutEntity: &authz.Entity{Ref: ref("user", "ann")}}}
		for i := range docs {
			batch = append(batch, authz.Change{PutEntity: &authz.Entity{Ref: ref("doc", fmt.Sprintf("d%02d", i)), Attributes: fmt.Appendf(nil, `{"owner": "user:%s"}`, to)}})
		}
		write(t, store, batch...)
	}
	handOver("ann")
	var searchers sync.WaitGroup
	var found, none atomic.Int64
	for i := range 4 {
		searchers.Go(func() {
			// A slow disk gives few owners in the time of many searches.
			seenBoth := func() bool { return found.Load() > 0 && none.Load() > 0 }
			for n := 0; n < 20 || !seenBoth() && n < 20_000; n++ {
				request := newRequest()
				request.Action.Name = []string{"read", "scan"}[i%2]
				ids := all(t, p, pdp.Search{For: pdp.Resources, Request: request, Limit: 7})
				switch len(ids) {
				case 0:
					none.Add(1)
				case docs:
					found.Add(1)
				default:
					t.Errorf("found %d of %d", len(ids), docs)
				}
			}
		})
	}
	done := make(chan struct{})
	go func() { searchers.Wait(); close(done) }()
	for owner := "bob"; ; {
		select {
		case <-done:
			if found.Load() == 0 || none.Load() == 0 {
				t.Errorf("all were found %d times, and none %d times", found.Load(), none.Load())
			}
			return
		default:
			handOver(owner)
			owner = map[string]string{"ann": "bob", "bob": "ann"}[owner]
		}
	}
}

// Notes are for people, however much a policy compares with.
func TestNotesAreShort(t *testing.T) {
	p, w := newPDPOf(nil, pdp.Limits{})
	w.policy = policyOf(t, `package authz

import rego.v2

allow if data.directory.doc[input.resource.id].attributes.owner in input.context.owners
allow if {
	some i, owner in input.context.owners
	data.directory.doc[input.resource.id].attributes[input.context.names[i]] == owner
}
`)
	request := newRequest()
	var owners, names []any
	for i := range 200 {
		owners, names = append(owners, fmt.Sprintf("user:é%d", i)), append(names, fmt.Sprintf("name%d", i))
	}
	request.Context = authz.Object{"owners": owners, "names": names}
	found, err := p.Search(t.Context(), pdp.Search{For: pdp.Resources, Request: request})
	if err != nil || found.Method != pdp.ByIndex {
		t.Fatal(found, err)
	}
	if len(found.Notes) != 20 || found.Notes[19] != "and more" {
		t.Errorf("%d notes, the last %q", len(found.Notes), found.Notes[len(found.Notes)-1])
	}
	for _, note := range found.Notes {
		if len(note) > 410 || !utf8.ValidString(note) {
			t.Errorf("a note of %d bytes: %q", len(note), note)
		}
	}
}

func docIDs(n int) []string {
	ids := make([]string, n)
	for i := range ids {
		ids[i] = fmt.Sprintf("d%03d", i)
	}
	return ids
}

func userIDs(n int) []string {
	ids := make([]string, n)
	for i := range ids {
		ids[i] = fmt.Sprintf("u%03d", i)
	}
	return ids
}

// checked are those of some candidates that Decide allows.
func checked(t *testing.T, p *pdp.PDP, what pdp.SearchFor, request *authz.Request, ids []string) (allowed []string) {
	t.Helper()
	for _, id := range ids {
		asked := *request
		if what == pdp.Subjects {
			asked.Subject.ID = id
		} else {
			asked.Resource.ID = id
		}
		decision, err := p.Decide(t.Context(), &asked, pdp.DecideOptions{})
		if err != nil || decision.Err != nil {
			t.Fatal(err, decision.Err)
		}
		if decision.Allowed {
			allowed = append(allowed, id)
		}
	}
	return allowed
}

// Whatever doors a policy has, and whatever directory there is, a search finds what
// checking does.
func TestSearchEqualsCheckOnRandomPolicies(t *testing.T) {
	policies := 60
	if testing.Short() {
		policies = 10
	}
	byIndex := 0
	for seed := range uint64(policies) {
		r := rand.New(rand.NewPCG(seed, 7))
		var rules []string
		for range 1 + r.IntN(3) {
			rules = append(rules, doors[r.IntN(len(doors))].rule)
		}
		text := "package authz\n\nimport rego.v2\n\n" + strings.Join(rules, "\n") + "\n" + lockedDoor
		p, w := newPDPOf(nil, pdp.Limits{})
		w.policy = policyOf(t, text)
		users, docs := 1+r.IntN(40), 1+r.IntN(60)
		w.directory.Write(library(t, r, users, docs)...)
		for range 4 {
			request := newRequest()
			request.Subject.ID = fmt.Sprintf("u%03d", r.IntN(users+1))
			request.Resource.ID = fmt.Sprintf("d%03d", r.IntN(docs+1))
			request.Action.Name = []string{"read", "write"}[r.IntN(2)]
			for what, ids := range map[pdp.SearchFor][]string{pdp.Subjects: userIDs(users), pdp.Resources: docIDs(docs)} {
				want := checked(t, p, what, request, ids)
				search := pdp.Search{For: what, Request: request, Limit: 1 + r.IntN(20)}
				found, err := p.Search(t.Context(), search)
				if err != nil {
					t.Fatal(err)
				}
				if found.Method == pdp.ByIndex {
					byIndex++
				}
				if got := all(t, p, search); !slices.Equal(got, want) {
					t.Fatalf("seed %d, %+v: found %v by %v, want %v\n%q\n%s", seed, *request, got, found.Method, want, found.Notes, text)
				}
			}
		}
	}
	if byIndex < policies {
		t.Errorf("%d searches by index in %d policies", byIndex, policies)
	}
}
