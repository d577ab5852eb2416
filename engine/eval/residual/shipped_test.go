package residual_test

import (
	"encoding/json"
	"fmt"
	"io/fs"
	"strings"
	"testing"
	"time"

	"github.com/verdictpdp/verdict/api/authz"
	"github.com/verdictpdp/verdict/bundles"
	"github.com/verdictpdp/verdict/engine/eval"
	"github.com/verdictpdp/verdict/engine/eval/residual"
	"github.com/verdictpdp/verdict/engine/eval/topdown"
	"github.com/verdictpdp/verdict/engine/pip"
	"github.com/verdictpdp/verdict/engine/pip/piptest"
	"github.com/verdictpdp/verdict/policy/bundle"
	"github.com/verdictpdp/verdict/policy/rego"
)

// noon is when the decisions are made.
func noon() time.Time { return time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC) }

func shipped(t testing.TB, name string) *rego.Policy {
	t.Helper()
	own, err := bundle.ReadFS(bundles.FS, name)
	if err != nil {
		t.Fatal(err)
	}
	library, err := bundle.ReadFS(bundles.FS, "lib")
	if err != nil {
		t.Fatal(err)
	}
	policy, err := rego.Compile(own.With(library), rego.Options{})
	if err != nil {
		t.Fatal(err)
	}
	return policy
}

func read(t testing.TB, path string) string {
	t.Helper()
	text, err := fs.ReadFile(bundles.FS, path)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// samples are the requests of a bundle.
func samples(t testing.TB, name string) (requests []authz.Request) {
	t.Helper()
	for line := range strings.Lines(read(t, name+"/requests.jsonl")) {
		var row struct {
			Request authz.Request
			Title   string
		}
		if err := json.Unmarshal([]byte(line), &row); err != nil {
			t.Fatal(err)
		}
		requests = append(requests, row.Request)
	}
	return requests
}

// A world is a policy and a directory.
type world struct {
	policy    *rego.Policy
	program   eval.Program
	directory *piptest.Directory
	cache     *pip.Cache
}

func newWorld(t testing.TB, policy *rego.Policy, tenant string, changes ...authz.Change) *world {
	t.Helper()
	program, err := topdown.New().Prepare(t.Context(), policy)
	if err != nil {
		t.Fatal(err)
	}
	w := &world{policy: policy, program: program, directory: piptest.New(tenant), cache: pip.NewCache(pip.Options{})}
	w.directory.Write(changes...)
	return w
}

func (w *world) input(request authz.Request) eval.Input {
	return eval.Input{Request: &request, Directory: w.cache.Reader(w.directory.Latest(), 10_000), Now: noon()}
}

// allows is the decision; failed says that it denies because the policy failed.
func (w *world) allows(t testing.TB, request authz.Request) (allows, failed bool) {
	t.Helper()
	out, err := w.program.Eval(t.Context(), w.input(request))
	return err == nil && out.Allow && len(out.Deny) == 0, err != nil
}

// check holds a residual to the decisions on every entity that it is about, and
// returns how many of them are allowed and fulfil it.
func (w *world) check(t testing.TB, request authz.Request, unknown residual.Unknown) (left residual.Residual, allowed, fulfilling, all int) {
	t.Helper()
	left, err := residual.Of(t.Context(), w.policy, w.input(request), unknown)
	if err != nil {
		t.Fatal(err)
	}
	part := &request.Resource.ID
	typ := request.Resource.Type
	if unknown == residual.Subject {
		part, typ = &request.Subject.ID, request.Subject.Type
	}
	var ids []string
	if err := w.directory.Latest().EachID(typ, "", func(id string) bool { ids = append(ids, id); return true }); err != nil {
		t.Fatal(err)
	}
	for _, id := range ids {
		*part = id
		reader := w.cache.Reader(w.directory.Latest(), 10_000)
		entity, err := reader.Entity(t.Context(), typ, id)
		if err != nil {
			t.Fatal(err)
		}
		allows, failed := w.allows(t, request)
		may, must := fulfils(t, left, entity)
		if allows && !may {
			t.Errorf("%s is allowed to %s %s, and does not fulfil what is left: %s", request.Subject.Ref(), request.Action.Name, request.Resource.Ref(), left.Where)
		}
		if !allows && must && left.Exact && !failed {
			t.Errorf("%s is denied to %s %s, and fulfils all that is left: %s", request.Subject.Ref(), request.Action.Name, request.Resource.Ref(), left.Where)
		}
		all++
		if allows {
			allowed++
		}
		if may {
			fulfilling++
		}
	}
	return left, allowed, fulfilling, all
}

// What is left of decisions by the shipped bundles takes in everything that they
// allow.
func TestShippedBundles(t *testing.T) {
	if testing.Short() {
		t.Skip("one goroutine does it all, and for long")
	}
	tests := []struct {
		bundle  string
		unknown residual.Unknown
		// Of how many different requests what is left is exact, and narrow.
		requests, exact, narrow int
	}{
		{"workforce", residual.Resource, 33, 27, 33},
		{"workforce", residual.Subject, 31, 1, 31},
		{"customer", residual.Resource, 35, 29, 35},
		{"customer", residual.Subject, 34, 6, 33},
		{"hybrid", residual.Resource, 10, 8, 10},
		{"hybrid", residual.Subject, 11, 8, 10},
	}
	for _, tt := range tests {
		name, unknown := tt.bundle, tt.unknown
		t.Run(name+" "+string(unknown), func(t *testing.T) {
			w := newWorld(t, shipped(t, name), name, piptest.Lines(t, read(t, name+"/directory.jsonl"))...)
			var exact, narrow, requests int
			seen := make(map[string]bool)
			for _, request := range samples(t, name) {
				key := fmt.Sprint(request.Subject.Ref(), request.Action.Name, request.Resource.Type, request.Context)
				if unknown == residual.Subject {
					key = fmt.Sprint(request.Subject.Type, request.Action.Name, request.Resource.Ref(), request.Context)
				}
				if seen[key] {
					continue
				}
				seen[key] = true
				left, allowed, fulfilling, all := w.check(t, request, unknown)
				requests++
				if left.Exact {
					exact++
				}
				if len(left.Unexpressed) == 0 {
					narrow++
				}
				t.Logf("%s: of %d, %d are allowed and %d fulfil %s", key, all, allowed, fulfilling, left.Where)
			}
			if requests != tt.requests || exact < tt.exact || narrow < tt.narrow {
				t.Errorf("of %d requests, %d are exact and %d narrow: expected %d, %d and %d", requests, exact, narrow, tt.requests, tt.exact, tt.narrow)
			}
		})
	}
}
