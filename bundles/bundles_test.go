package bundles_test

import (
	"bufio"
	"bytes"
	"encoding/json"
	"io/fs"
	"path"
	"slices"
	"testing"

	"github.com/verdictpdp/verdict/api/authz"
	"github.com/verdictpdp/verdict/bundles"
)

var all = []string{"lib", "workforce", "customer", "hybrid", "api"}

func TestEveryBundleIsWhole(t *testing.T) {
	want := map[string][]string{
		"lib":       {".manifest", "README.md"},
		"workforce": {".manifest", "README.md", "directory.jsonl", "requests.jsonl"},
		"customer":  {".manifest", "README.md", "directory.jsonl", "requests.jsonl"},
		"hybrid":    {".manifest", "README.md", "directory.jsonl", "requests.jsonl"},
		"api":       {".manifest", "README.md"},
	}
	for _, name := range all {
		t.Run(name, func(t *testing.T) {
			for _, file := range want[name] {
				if _, err := fs.Stat(bundles.FS, path.Join(name, file)); err != nil {
					t.Error(err)
				}
			}
		})
	}
}

func TestEveryManifestOwnsItsPackages(t *testing.T) {
	for _, name := range all {
		t.Run(name, func(t *testing.T) {
			text, err := fs.ReadFile(bundles.FS, path.Join(name, ".manifest"))
			if err != nil {
				t.Fatal(err)
			}
			var manifest struct {
				Revision string
				Roots    []string
			}
			if err := json.Unmarshal(text, &manifest); err != nil {
				t.Fatal(err)
			}
			if manifest.Revision == "" || len(manifest.Roots) == 0 {
				t.Errorf("the manifest has revision %q and roots %q: expected both", manifest.Revision, manifest.Roots)
			}
			if owns := slices.Contains(manifest.Roots, "verdict"); owns != (name == "lib") {
				t.Errorf("roots %q: only the library owns the packages verdict.*", manifest.Roots)
			}
		})
	}
}

// A row of requests.jsonl: a request and the decision to expect.
type row struct {
	Scenario    string
	Title       string
	Request     authz.Request
	Allowed     *bool
	Reasons     []string
	Obligations map[string]any
}

func TestEveryScenarioIsAskedBothWays(t *testing.T) {
	for _, name := range all[1:4] {
		t.Run(name, func(t *testing.T) {
			allowed, denied := map[string]bool{}, map[string]bool{}
			for _, r := range rows(t, name) {
				if r.Request.Tenant != name {
					t.Errorf("%s %q is asked of tenant %q: expected %q", r.Scenario, r.Title, r.Request.Tenant, name)
				}
				if *r.Allowed {
					allowed[r.Scenario] = true
				} else {
					denied[r.Scenario] = true
				}
			}
			for _, scenario := range scenarios[name] {
				if !allowed[scenario] || !denied[scenario] {
					t.Errorf("%s has an allow: %t, a near miss: %t; expected both", scenario, allowed[scenario], denied[scenario])
				}
			}
		})
	}
}

var scenarios = map[string][]string{
	"workforce": {"W1", "W2", "W3", "W4", "W5", "W6", "W7", "W8", "W9", "W10", "W11", "W12", "W13"},
	"customer":  {"C1", "C2", "C3", "C4", "C5", "C6", "C7", "C8", "C9", "C10"},
	"hybrid":    {"H1", "H2"},
}

func rows(t *testing.T, bundle string) []row {
	t.Helper()
	text, err := fs.ReadFile(bundles.FS, path.Join(bundle, "requests.jsonl"))
	if err != nil {
		t.Fatal(err)
	}
	var rows []row
	lines := bufio.NewScanner(bytes.NewReader(text))
	for number := 1; lines.Scan(); number++ {
		decoder := json.NewDecoder(bytes.NewReader(lines.Bytes()))
		decoder.DisallowUnknownFields()
		var line struct {
			row
			Request json.RawMessage
		}
		if err := decoder.Decode(&line); err != nil {
			t.Fatalf("line %d: %v", number, err)
		}
		if line.Scenario == "" || line.Title == "" || line.Allowed == nil {
			t.Fatalf("line %d: a row has a scenario, a title and allowed", number)
		}
		if err := json.Unmarshal(line.Request, &line.row.Request); err != nil {
			t.Fatalf("line %d: request: %v", number, err)
		}
		rows = append(rows, line.row)
	}
	if err := lines.Err(); err != nil {
		t.Fatal(err)
	}
	return rows
}
