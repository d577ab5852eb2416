package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io/fs"
	"maps"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/open-policy-agent/opa/v1/ast"
	"github.com/open-policy-agent/opa/v1/loader"
	"github.com/open-policy-agent/opa/v1/rego"
	"github.com/open-policy-agent/opa/v1/storage"
	"github.com/open-policy-agent/opa/v1/storage/inmem"
	opatester "github.com/open-policy-agent/opa/v1/tester"

	"github.com/verdictpdp/verdict/engine/pdp"
)

// plainOPA is what a user of OPA alone has: the Rego files of the library and
// of a bundle, and the exported directory.
type plainOPA struct {
	modules  map[string]*ast.Module
	document map[string]any
}

func newPlainOPA(t *testing.T, name string) plainOPA {
	t.Helper()
	root := filepath.Join("..", "..", "bundles")
	loaded, err := loader.NewFileLoader().WithRegoVersion(ast.RegoV1).Filtered(
		[]string{filepath.Join(root, "lib"), filepath.Join(root, name)},
		func(path string, info fs.FileInfo, _ int) bool { return !info.IsDir() && filepath.Ext(path) != ".rego" })
	if err != nil {
		t.Fatal(err)
	}
	o := plainOPA{modules: map[string]*ast.Module{}}
	for path, file := range loaded.Modules {
		o.modules[path] = file.Parsed
	}
	var exported, errs bytes.Buffer
	code := run(t.Context(), []string{
		"export", "--as", "opa", "--tenant", name, "--directory", filepath.Join(root, name, bundleDirectory),
	}, streams{out: &exported, err: &errs})
	if code != exitOK {
		t.Fatalf("export: %s", &errs)
	}
	decoder := json.NewDecoder(&exported)
	decoder.UseNumber()
	if err := decoder.Decode(&o.document); err != nil {
		t.Fatal(err)
	}
	return o
}

func (o plainOPA) store() storage.Store { return inmem.NewFromObject(o.document) }

// TestPlainOPARunsTheSameTests holds that OPA's own test runner, on exported
// data, finds of each shipped bundle what verdict test finds.
func TestPlainOPARunsTheSameTests(t *testing.T) {
	if testing.Short() {
		t.Skip("one goroutine does it all, and for long")
	}
	for _, name := range demoTenants {
		t.Run(name, func(t *testing.T) {
			o := newPlainOPA(t, name)
			results, err := opatester.NewRunner().SetStore(o.store()).SetModules(o.modules).SetTimeout(time.Minute).RunTests(t.Context(), nil)
			if err != nil {
				t.Fatal(err)
			}
			plain := map[string]bool{}
			for result := range results {
				if !strings.HasPrefix(result.Package, "data.verdict.") { // the library's own
					plain[result.Package+"."+result.Name] = result.Pass()
				}
			}

			runner := tester{tenant: name, timeout: timeout(time.Minute)}
			report, err := runner.run(t.Context(), filepath.Join("..", "..", "bundles", name))
			if err != nil {
				t.Fatal(err)
			}
			ours := map[string]bool{}
			for _, test := range report.Tests {
				ours[test.Package+"."+test.Name] = test.Outcome.String() == "pass"
			}
			if diff := cmp.Diff(plain, ours); diff != "" {
				t.Errorf("results (-opa +verdict):\n%s", diff)
			}
			if len(ours) == 0 || slices.Contains(slices.Collect(maps.Values(ours)), false) {
				t.Errorf("%d tests, of which not all hold: %v", len(ours), ours)
			}
		})
	}
}

// TestPlainOPADecidesTheSame holds that OPA, on exported data, decides the
// shipped requests as Verdict does, reasons and obligations included.
func TestPlainOPADecidesTheSame(t *testing.T) {
	s := startDemo(t)
	for _, name := range demoTenants {
		o := newPlainOPA(t, name)
		options := []func(*rego.Rego){
			rego.Query("x = data.authz"),
			rego.Store(o.store()),
			rego.StrictBuiltinErrors(true),
		}
		for path, module := range o.modules {
			if !strings.HasSuffix(path, "_test.rego") {
				options = append(options, rego.ParsedModule(module))
			}
		}
		query, err := rego.New(options...).PrepareForEval(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		samples, err := sampleRequests(name)
		if err != nil {
			t.Fatal(err)
		}
		for _, sample := range samples {
			t.Run(sample.Scenario+" "+sample.Title, func(t *testing.T) {
				decision, err := s.decisions.Decide(t.Context(), sample.Request.authz(), pdp.DecideOptions{})
				if err != nil {
					t.Fatal(err)
				}
				results, err := query.Eval(t.Context(), rego.EvalInput(sample.Request.input()))
				if err != nil {
					t.Fatal(err)
				}
				want := newDecisionReport(decision)
				got := opaDecision(t, results)
				if want.Allowed != got.Allowed || !slices.Equal(want.Reasons, got.Reasons) ||
					compactJSON(want.Obligations) != compactJSON(got.Obligations) {
					t.Errorf("verdict: %v %q %v\nopa: %v %q %v", want.Allowed, want.Reasons, want.Obligations, got.Allowed, got.Reasons, got.Obligations)
				}
			})
		}
	}
}

// input is the document input of a request, as the Rego contract has it.
func (r requestJSON) input() map[string]any {
	orEmpty := func(o map[string]any) map[string]any {
		if o == nil {
			return map[string]any{}
		}
		return o
	}
	return map[string]any{
		"tenant":   r.Tenant,
		"subject":  map[string]any{"type": r.Subject.Type, "id": r.Subject.ID, "properties": orEmpty(r.Subject.Properties)},
		"action":   map[string]any{"name": r.Action.Name, "properties": orEmpty(r.Action.Properties)},
		"resource": map[string]any{"type": r.Resource.Type, "id": r.Resource.ID, "properties": orEmpty(r.Resource.Properties)},
		"context":  orEmpty(r.Context),
	}
}

// opaDecision reads a decision out of the package's document.
func opaDecision(t *testing.T, results rego.ResultSet) decisionReport {
	t.Helper()
	if len(results) != 1 {
		t.Fatalf("%d results", len(results))
	}
	document := results[0].Bindings["x"].(map[string]any)
	set := func(name string) []string {
		var members []string
		list, _ := document[name].([]any)
		for _, member := range list {
			members = append(members, fmt.Sprint(member))
		}
		return members
	}
	deny := set("deny")
	reasons := append(set("reasons"), deny...)
	slices.Sort(reasons)
	report := decisionReport{
		Allowed:     document["allow"] == true && len(deny) == 0,
		Reasons:     slices.Compact(reasons),
		Obligations: map[string]any{},
	}
	if obligations, ok := document["obligations"].(map[string]any); ok {
		report.Obligations = obligations
	}
	return report
}
