package pdp_test

import (
	"bufio"
	"encoding/json"
	"io/fs"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/verdictpdp/verdict/api/authz"
	"github.com/verdictpdp/verdict/bundles"
	"github.com/verdictpdp/verdict/engine/eval/closure"
	"github.com/verdictpdp/verdict/engine/pdp"
	"github.com/verdictpdp/verdict/engine/pip/piptest"
	"github.com/verdictpdp/verdict/policy/bundle"
	"github.com/verdictpdp/verdict/policy/rego"
)

// On the shipped bundles and their directories, a search finds what checking does,
// for the requests that come with them and others made of their parts.
func TestSearchEqualsCheckOnShippedBundles(t *testing.T) {
	searches := 100
	if testing.Short() {
		searches = 15
	}
	for _, name := range []string{"workforce", "customer", "hybrid"} {
		t.Run(name, func(t *testing.T) {
			p, w := newPDPOf(nil, pdp.Limits{})
			w.policy = shipped(t, name)
			entities := fill(t, w, name)
			requests := requestsOf(t, name)
			r := rand.New(rand.NewPCG(1, 0))
			found, byIndex := 0, 0
			for range searches {
				request := requests[r.IntN(len(requests))]
				other := requests[r.IntN(len(requests))]
				switch r.IntN(4) {
				case 0:
					request.Subject = other.Subject
				case 1:
					request.Resource = other.Resource
				case 2:
					request.Action, request.Context = other.Action, other.Context
				}
				request.Tenant = "t"
				what, typ := pdp.Resources, request.Resource.Type
				if r.IntN(2) == 0 {
					what, typ = pdp.Subjects, request.Subject.Type
				}
				want := checked(t, p, what, &request, entities[typ])
				page, err := p.Search(t.Context(), pdp.Search{For: what, Request: &request, Limit: pdp.MaxSearchLimit})
				if err != nil {
					t.Fatal(err)
				}
				if !slices.Equal(page.IDs, want) {
					t.Fatalf("%+v: found %v by %v, want %v\n%q", request, page.IDs, page.Method, want, page.Notes)
				}
				found += len(want)
				if page.Method == pdp.ByIndex {
					byIndex++
				}
			}
			if found == 0 {
				t.Error("nothing was ever found")
			}
			t.Logf("%d searches, %d by index, found %d", searches, byIndex, found)
		})
	}
}

// shipped is a shipped bundle with its library.
func shipped(t *testing.T, name string) pdp.Policy {
	t.Helper()
	read := func(name string) *bundle.Bundle {
		b, err := bundle.ReadFS(bundles.FS, name)
		if err != nil {
			t.Fatal(err)
		}
		return b
	}
	compiled, err := rego.Compile(read(name).With(read("lib")), rego.Options{})
	if err != nil {
		t.Fatal(err)
	}
	program, err := closure.New().Prepare(t.Context(), compiled)
	if err != nil {
		t.Fatal(err)
	}
	return pdp.Policy{Program: program, Compiled: compiled, Revision: "p1"}
}

// fill writes a shipped directory, and returns the ids of each type in order.
func fill(t *testing.T, w *world, name string) map[string][]string {
	t.Helper()
	text, err := fs.ReadFile(bundles.FS, name+"/directory.jsonl")
	if err != nil {
		t.Fatal(err)
	}
	changes := piptest.Lines(t, strings.ReplaceAll(string(text), "tenant:"+name, "tenant:t"))
	w.directory.Write(changes...)
	ids := make(map[string][]string)
	for _, c := range changes {
		if c.PutEntity != nil {
			ids[c.PutEntity.Ref.Type] = append(ids[c.PutEntity.Ref.Type], c.PutEntity.Ref.ID)
		}
	}
	for typ := range ids {
		slices.Sort(ids[typ])
		ids[typ] = slices.Compact(ids[typ])
	}
	return ids
}

// requestsOf are the requests that come with a shipped bundle.
func requestsOf(t *testing.T, name string) []authz.Request {
	t.Helper()
	file, err := bundles.FS.Open(name + "/requests.jsonl")
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	var requests []authz.Request
	lines := bufio.NewScanner(file)
	for lines.Scan() {
		var line struct{ Request authz.Request }
		if err := json.Unmarshal(lines.Bytes(), &line); err != nil {
			t.Fatal(err)
		}
		requests = append(requests, line.Request)
	}
	if len(requests) == 0 {
		t.Fatal("there are no requests")
	}
	return requests
}
