package store

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"go.uber.org/zap/zaptest"

	"github.com/verdictpdp/verdict/api/authz"
)

func readMina(l *Loader) error { return l.PutEntity(1, authz.Entity{Ref: mina}) }

func verifyNothing(*View, *Loader) error { return nil }

// load loads one entity into a directory.
func load(t *testing.T, dir string, read func(*Loader) error) error {
	t.Helper()
	return Load(LoadOptions{Dir: dir, Now: time.Unix(1, 0), Logger: zaptest.NewLogger(t)}, tenant, read, verifyNothing)
}

// holdsMina reports whether a store holds what load loads, and that it holds
// nothing else.
func holdsMina(t *testing.T, dir string) bool {
	t.Helper()
	s := newStore(t, dir)
	view, err := s.Latest(tenant)
	if err != nil {
		t.Fatal(err)
	}
	defer view.Close()
	if err := view.Check(t.Context(), func(damage string) bool { t.Error(damage); return true }); err != nil {
		t.Error(err)
	}
	_, found, err := view.Entity(mina)
	if _, latest := s.Revisions(); err != nil || found != (latest == loadRevision) {
		t.Errorf("at revision %d it is there: %v, %v", latest, found, err)
	}
	return found
}

// tree lists what is below a directory.
func tree(t *testing.T, dir string) []string {
	t.Helper()
	var paths []string
	err := fs.WalkDir(os.DirFS(dir), ".", func(path string, _ fs.DirEntry, err error) error {
		paths = append(paths, path)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return paths
}

func wantError(t *testing.T, err error, kind authz.Kind, text string) {
	t.Helper()
	if err == nil || authz.KindOf(err) != kind || !strings.Contains(err.Error(), text) {
		t.Errorf("error %v of kind %s, expected kind %s and %q", err, authz.KindOf(err), kind, text)
	}
}

// TestInterruptedLoad ends a load before each step that puts its store into
// place, as a crash does. What is left is the whole store or an unwritten one,
// which can be loaded and opened.
func TestInterruptedLoad(t *testing.T) {
	crash := errors.New("crash")
	interrupt := func(t *testing.T, dir string, steps int) error {
		site, err := newLoadSite(dir, zaptest.NewLogger(t))
		if err != nil {
			t.Fatal(err)
		}
		defer site.unlock()
		site.rename = func(from, to string) error {
			if steps--; steps < 0 {
				return crash
			}
			return os.Rename(from, to)
		}
		return site.load(LoadOptions{Dir: dir, Now: time.Unix(1, 0), Logger: site.log}, tenant, readMina, verifyNothing)
	}
	whole := false
	for steps := 0; !whole; steps++ {
		t.Run(fmt.Sprint(steps, " steps"), func(t *testing.T) {
			opened, loaded := t.TempDir(), filepath.Join(t.TempDir(), "store")
			err := interrupt(t, opened, steps)
			whole = err == nil
			if err != nil && !errors.Is(err, crash) {
				t.Fatal(err)
			}
			if found := holdsMina(t, opened); found != whole {
				t.Errorf("the store has been loaded: %v, expected %v", found, whole)
			}
			if _, err := os.Stat(loadDir(opened)); err == nil {
				t.Error("what the load left is still there when the store was opened")
			}
			if err := interrupt(t, loaded, steps); errors.Is(err, crash) == whole {
				t.Fatal(err)
			}
			if err := load(t, loaded, readMina); whole != (authz.KindOf(err) == authz.FailedPrecondition) || !whole && err != nil {
				t.Errorf("loading again: %v", err)
			}
			if !holdsMina(t, loaded) {
				t.Error("the store has not been loaded")
			}
		})
	}
}

// TestLoadHoldsTheStore has others come while a load runs.
func TestLoadHoldsTheStore(t *testing.T) {
	parent := t.TempDir()
	dir := filepath.Join(parent, "store")
	err := load(t, dir, func(l *Loader) error {
		if beside, err := os.ReadDir(parent); err != nil || len(beside) != 1 {
			t.Errorf("a load makes %v beside its store, %v", beside, err)
		}
		_, err := Open(Options{Dir: dir, Clock: time.Now, Logger: zaptest.NewLogger(t)})
		want := fmt.Sprintf("the store in %s is in use by another process (process %d)", dir, os.Getpid())
		wantError(t, err, authz.Unavailable, want)
		wantError(t, load(t, dir, readMina), authz.Unavailable, want)
		return readMina(l)
	})
	if err != nil {
		t.Fatal(err)
	}
	if !holdsMina(t, dir) {
		t.Error("the store has not been loaded")
	}
}

// TestLoadIntoALink loads into a directory that is on another volume.
func TestLoadIntoALink(t *testing.T) {
	volume := t.TempDir()
	link := filepath.Join(t.TempDir(), "store")
	if err := errors.Join(os.Symlink(volume, link), os.Mkdir(filepath.Join(volume, "lost+found"), 0o700)); err != nil {
		t.Fatal(err)
	}
	if err := load(t, link, readMina); err != nil {
		t.Fatal(err)
	}
	if info, err := os.Lstat(link); err != nil || info.Mode()&os.ModeSymlink == 0 {
		t.Errorf("the link is replaced: %v, %v", info, err)
	}
	if !holdsMina(t, volume) {
		t.Error("the store is not where the link leads")
	}
}

// TestRefusedLoadLeavesNoTrace has loads fail on what they read.
func TestRefusedLoadLeavesNoTrace(t *testing.T) {
	refused := errors.New("refused")
	refuse := func(*Loader) error { return refused }
	parent := t.TempDir()
	tests := []struct {
		name string
		make func(dir string) error
	}{
		{"no directory", func(string) error { return nil }},
		{"an empty directory", func(dir string) error { return os.Mkdir(dir, 0o700) }},
		{"the root of a file system", func(dir string) error { return os.MkdirAll(filepath.Join(dir, "lost+found"), 0o700) }},
	}
	for i, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			dir := filepath.Join(parent, fmt.Sprint(i))
			if err := test.make(dir); err != nil {
				t.Fatal(err)
			}
			before := tree(t, parent)
			if err := load(t, dir, refuse); !errors.Is(err, refused) {
				t.Fatal(err)
			}
			if after := tree(t, parent); !slices.Equal(after, before) {
				t.Errorf("before there is %q, and after %q", before, after)
			}
		})
	}
}

// TestLoadRefusesWhatIsWritten has loads meet what they must not replace.
func TestLoadRefusesWhatIsWritten(t *testing.T) {
	written := t.TempDir()
	s := newStore(t, written)
	fill(t, s)
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	wantError(t, load(t, written, readMina), authz.FailedPrecondition, "is at revision 1, and an empty one is needed")

	foreign := t.TempDir()
	if err := os.MkdirAll(filepath.Join(loadDir(foreign), "mine"), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(foreign, "letter.txt"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	before := tree(t, foreign)
	wantError(t, load(t, foreign, readMina), authz.FailedPrecondition, "holds no store, but letter.txt: choose")
	if after := tree(t, foreign); !slices.Equal(after, before) {
		t.Errorf("before there is %q, and after %q", before, after)
	}
}
