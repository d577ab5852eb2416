package bundles_test

import (
	"context"
	"encoding/json"
	"io/fs"
	"path"
	"regexp"
	"runtime"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"go.uber.org/zap"

	"github.com/verdictpdp/verdict/api/authz"
	"github.com/verdictpdp/verdict/bundles"
	"github.com/verdictpdp/verdict/engine/activation"
	"github.com/verdictpdp/verdict/engine/eval"
	"github.com/verdictpdp/verdict/engine/eval/closure"
	"github.com/verdictpdp/verdict/engine/pdp"
	"github.com/verdictpdp/verdict/engine/pip"
	"github.com/verdictpdp/verdict/engine/pip/piptest"
	"github.com/verdictpdp/verdict/policy/bundle"
)

// A search for actions finds whatever is allowed to an entity of a bundle's
// directory on another, of all that looks like an action of the bundle. So an
// action that the rule actions forgets is noticed, whichever rule allows it.
func TestEveryAllowedActionIsFound(t *testing.T) {
	tests := []struct {
		bundle string
		// What opens as many doors as can be.
		context, properties authz.Object
		// How many actions are allowed in all, at least.
		allowed int
	}{
		{
			bundle:     "workforce",
			context:    authz.Object{"mfa": true, "break_glass": true},
			properties: authz.Object{"role": "role:team_lead", "subject": "user:nils"},
			allowed:    200,
		},
		{
			bundle:  "customer",
			context: authz.Object{"region": "eu", "active_devices": 0},
			allowed: 90,
		},
		{
			bundle:  "hybrid",
			context: authz.Object{"ticket": "ticket:t-1"},
			allowed: 7,
		},
	}
	for _, test := range tests {
		t.Run(test.bundle, func(t *testing.T) {
			directory := directoryOf(t, test.bundle)
			entities, actions := entitiesOf(t, directory), actionsOf(t, test.bundle, directory)
			decisions := decisionPoint(t, test.bundle, directory)
			var allowed atomic.Int64
			var all sync.WaitGroup
			workers, every := runtime.GOMAXPROCS(0), 1
			if testing.Short() { // as with the race detector, to which one entity is as good as another
				every = 8
			}
			for worker := range workers {
				all.Go(func() {
					for i := worker * every; i < len(entities); i += workers * every {
						for _, resource := range entities {
							asked := authz.Request{
								Tenant: test.bundle, Context: test.context,
								Subject:  authz.Subject{Type: entities[i].Type, ID: entities[i].ID},
								Action:   authz.Action{Properties: test.properties},
								Resource: authz.Resource{Type: resource.Type, ID: resource.ID},
							}
							allows := allowedOf(t, decisions, asked, actions)
							checkFound(t, decisions, asked, allows)
							allowed.Add(int64(len(allows)))
						}
					}
				})
			}
			all.Wait()
			t.Logf("of the actions %q between %d entities, %d are allowed", actions, len(entities), allowed.Load())
			if every == 1 && allowed.Load() < int64(test.allowed) {
				t.Errorf("%d actions are allowed: expected %d at least", allowed.Load(), test.allowed)
			}
		})
	}
}

// allowedOf are the actions that a request is allowed, of some.
func allowedOf(t *testing.T, decisions *pdp.PDP, request authz.Request, actions []string) (allowed []string) {
	t.Helper()
	batch := pdp.Batch{Tenant: request.Tenant}
	for _, action := range actions {
		asked := request
		asked.Action.Name = action
		batch.Requests = append(batch.Requests, &asked)
	}
	decided, err := decisions.DecideBatch(t.Context(), batch)
	if err != nil {
		t.Error(err)
	}
	for i, decision := range decided {
		if decision.Err != nil {
			t.Errorf("%s %s %s: %v", request.Subject.Ref(), actions[i], request.Resource.Ref(), decision.Err)
		}
		if decision.Allowed {
			allowed = append(allowed, actions[i])
		}
	}
	return allowed
}

// checkFound reports what a search for actions does not find of what is allowed.
// Where nothing is, there is nothing to find.
func checkFound(t *testing.T, decisions *pdp.PDP, request authz.Request, allowed []string) {
	t.Helper()
	if len(allowed) == 0 {
		return
	}
	found, err := decisions.Search(t.Context(), pdp.Search{For: pdp.Actions, Request: &request, Limit: pdp.MaxSearchLimit})
	if err != nil {
		t.Error(err)
	}
	for _, action := range allowed {
		if !slices.Contains(found.IDs, action) {
			t.Errorf("%s may %s %s, and a search for actions finds %q", request.Subject.Ref(), action, request.Resource.Ref(), found.IDs)
		}
	}
}

// decisionPoint decides by a bundle, at noon.
func decisionPoint(t *testing.T, name string, directory *piptest.Directory) *pdp.PDP {
	t.Helper()
	noon := func() time.Time { return time.Date(2026, 1, 15, 12, 0, 0, 0, time.UTC) }
	programs := activation.New(activation.Options{
		Tenants:    []activation.Tenant{{Name: name, Load: func(func()) (*bundle.Bundle, error) { return withLibrary(name) }}},
		Evaluators: []eval.Evaluator{closure.New()},
		Logger:     zap.NewNop(),
		Clock:      noon,
	})
	if err := programs.Activate(t.Context(), name); err != nil {
		t.Fatal(err)
	}
	active, err := programs.Active(name)
	if err != nil {
		t.Fatal(err)
	}
	return pdp.New(pdp.Options{
		Policy: func(string) (pdp.Policy, error) {
			return pdp.Policy{Program: active.Program, Actions: active.Actions}, nil
		},
		Snapshot: func(context.Context, string, authz.Consistency) (pdp.Snapshot, error) { return directory.Latest(), nil },
		Cache:    pip.NewCache(pip.Options{}),
		Limits:   pdp.Limits{Evaluation: time.Minute, Batch: time.Minute, Search: time.Minute}, // whatever the machine
		Clock:    noon,
	})
}

func withLibrary(name string) (*bundle.Bundle, error) {
	own, err := bundle.ReadFS(bundles.FS, name)
	if err != nil {
		return nil, err
	}
	library, err := bundle.ReadFS(bundles.FS, "lib")
	if err != nil {
		return nil, err
	}
	return own.With(library), nil
}

// directoryOf is the directory that a bundle brings.
func directoryOf(t *testing.T, name string) *piptest.Directory {
	t.Helper()
	directory := piptest.New(name)
	directory.Write(piptest.Lines(t, read(t, path.Join(name, "directory.jsonl")))...)
	return directory
}

// entitiesOf are all entities of a directory.
func entitiesOf(t *testing.T, directory *piptest.Directory) (entities []authz.EntityRef) {
	t.Helper()
	latest := directory.Latest()
	err := latest.EachType(func(typ string) bool {
		return latest.EachID(typ, "", func(id string) bool {
			entities = append(entities, authz.EntityRef{Type: typ, ID: id})
			return true
		}) == nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return entities
}

// actionsOf are all that may be an action of a bundle: what roles permit, what the
// sample requests ask, and of the words in the rules those in lists and those
// that stand beside the request's action.
func actionsOf(t *testing.T, name string, directory *piptest.Directory) (actions []string) {
	t.Helper()
	types := make(map[string]bool)
	for _, entity := range entitiesOf(t, directory) {
		types[entity.Type] = true
		if entity.Type != "role" {
			continue
		}
		role, _, err := directory.Latest().Entity(entity)
		if err != nil {
			t.Fatal(err)
		}
		var attributes struct{ Permissions []string }
		if err := json.Unmarshal(role.Attributes, &attributes); err != nil {
			t.Fatal(err)
		}
		for _, permission := range attributes.Permissions {
			_, action, _ := strings.Cut(permission, ":")
			actions = append(actions, action)
		}
	}
	for _, r := range rows(t, name) {
		actions = append(actions, r.Request.Action.Name)
	}
	modules, err := fs.Glob(bundles.FS, path.Join(name, "*.rego"))
	if err != nil {
		t.Fatal(err)
	}
	for _, module := range modules {
		if strings.HasSuffix(module, "_test.rego") {
			continue
		}
		for _, place := range actionPlaces.FindAllString(read(t, module), -1) {
			for _, word := range quotedWord.FindAllStringSubmatch(place, -1) {
				if !types[word[1]] {
					actions = append(actions, word[1])
				}
			}
		}
	}
	slices.Sort(actions)
	return slices.Compact(actions)
}

var (
	quotedWord   = regexp.MustCompile(`"([a-z_]+)"`)
	actionPlaces = regexp.MustCompile(`.*input\.action\.name.*|[{[]\s*"[a-z_]+"(,\s*"[a-z_]+")*,?\s*[}\]]`)
)

func read(t *testing.T, file string) string {
	t.Helper()
	text, err := fs.ReadFile(bundles.FS, file)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}
