package store

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"go.uber.org/zap/zaptest"

	"github.com/verdictpdp/verdict/api/authz"
)

// TestDirectoryOfOthersIsNoStore opens directories in which something is. What is none of
// a store's hinders it only where no store is.
func TestDirectoryOfOthersIsNoStore(t *testing.T) {
	store := t.TempDir()
	newStore(t, store).Close()
	for _, test := range []struct {
		name    string
		files   []string
		store   bool
		refused string
	}{
		{name: "an empty directory"},
		{name: "the root of a file system", files: []string{"lost+found/found"}},
		{name: "a first start that was killed", files: []string{lockFile, acknowledgedFile, "MANIFEST-REWRITE"}},
		{name: "a load that was killed", files: []string{lockFile, ".loading/store/000001.vlog"}},
		{name: "a store beside others' files", files: []string{"letter.txt"}, store: true},
		{name: "a volume with its snapshots", files: []string{".snapshot/daily", ".nfs0000000000a1"}},
		{name: "a bundle", files: []string{".manifest", "app.rego", "data.json", "shop/orders.rego", "shop_test.rego", "shop.md"},
			refused: "holds no store, but app.rego, data.json, shop and 2 more: choose an empty directory, or one that is not there"},
		{name: "files that have a log's ending", files: []string{"flash.mem", "talk.vlog", "table.sst"},
			refused: "holds no store, but flash.mem, table.sst, talk.vlog: choose"},
		{name: "what Badger has beside a store", files: []string{"DISCARD", "photo.jpg"}, refused: "holds no store, but DISCARD, photo.jpg: choose"},
		{name: "a file at the root of a file system", files: []string{"lost+found/found", "letter\n.txt"},
			refused: `holds no store, but "letter\n.txt": choose`},
	} {
		t.Run(test.name, func(t *testing.T) {
			dir := t.TempDir()
			if test.store {
				copyStore(t, dir, store)
			}
			for _, name := range test.files {
				path := filepath.Join(dir, name)
				if err := errors.Join(os.MkdirAll(filepath.Dir(path), 0o700), os.WriteFile(path, nil, 0o600)); err != nil {
					t.Fatal(err)
				}
			}
			before := tree(t, dir)
			s, err := Open(Options{Dir: dir, Retention: time.Hour, Clock: time.Now, Logger: zaptest.NewLogger(t)})
			if test.refused == "" {
				if err != nil {
					t.Fatal(err)
				}
				if err := s.Close(); err != nil {
					t.Error(err)
				}
				return
			}
			wantError(t, err, authz.FailedPrecondition, dir+" "+test.refused)
			wantError(t, load(t, dir, readMina), authz.FailedPrecondition, dir+" "+test.refused)
			if after := tree(t, dir); !slices.Equal(after, before) {
				t.Errorf("before there is %q, and after %q", before, after)
			}
		})
	}
}
