package main

import (
	"os"
	"path/filepath"
	"testing"
)

// TestABundleIsParsedOnce reads a bundle as it is at a start: to activate it, and once
// more when it is watched.
func TestABundleIsParsedOnce(t *testing.T) {
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "authz.rego"), []byte("package authz\n\nallow := true\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	tenant := bundleAt("t", tenantConfig{Bundle: dir})
	first, err := tenant.Load(nil)
	if err != nil {
		t.Fatal(err)
	}
	again, err := tenant.Load(nil)
	if err != nil {
		t.Fatal(err)
	}
	if len(again.Modules) != len(first.Modules) || len(first.Modules) < 2 {
		t.Fatalf("%d modules were read, and then %d: want one and the library's", len(first.Modules), len(again.Modules))
	}
	for i, m := range again.Modules {
		if m.Parsed != first.Modules[i].Parsed {
			t.Errorf("%s was parsed again", m.Path)
		}
	}
}
