//go:build unix

package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"testing"
)

// TestStoreIsItsOwnersAlone holds that other users of the machine cannot read the store,
// also where its directory was there before and lets them in.
func TestStoreIsItsOwnersAlone(t *testing.T) {
	dir := t.TempDir()
	store := filepath.Join(dir, "store")
	if err := os.Mkdir(store, 0o755); err != nil {
		t.Fatal(err)
	}
	write(t, filepath.Join(dir, "people.jsonl"), `{"entity": {"type": "user", "id": "mina"}}`+"\n")
	load := exec.Command("sh", "-c", `umask 022 && exec verdict import --data "$0" "$1"`, store, filepath.Join(dir, "people.jsonl"))
	if out, err := load.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	entries, err := os.ReadDir(store)
	if err != nil || len(entries) == 0 {
		t.Fatalf("%v, %v", entries, err)
	}
	for _, entry := range entries {
		info, err := entry.Info()
		if err != nil {
			t.Fatal(err)
		}
		if info.Mode().Perm()&0o077 != 0 {
			t.Errorf("%s has the mode %v", entry.Name(), info.Mode())
		}
	}
}
