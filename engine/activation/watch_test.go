package activation_test

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"context"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/verdictpdp/verdict/engine/activation"
)

// deadline is far beyond what any machine takes to notice a change.
const deadline = time.Minute

// watch runs Watch until the test ends.
func watch(t *testing.T, set *activation.Set) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- set.Watch(ctx) }()
	t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			t.Errorf("Watch: %v", err)
		}
	})
}

// await polls until the status is what is wanted.
func await(t *testing.T, set *activation.Set, want string, holds func(activation.Status) bool) {
	t.Helper()
	for end := time.Now().Add(deadline); !holds(set.Status()[0]); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("waited in vain for %s: status %+v", want, set.Status()[0])
		}
	}
}

func awaitRevision(t *testing.T, set *activation.Set, revision string) {
	t.Helper()
	await(t, set, "revision "+revision, func(s activation.Status) bool { return s.Revision == revision && s.LastError == "" })
}

func awaitFailure(t *testing.T, set *activation.Set) {
	t.Helper()
	await(t, set, "a failure", func(s activation.Status) bool { return s.LastError != "" })
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func TestWatchFollowsADirectory(t *testing.T) {
	base := t.TempDir()
	dir := filepath.Join(base, "etc", "policies")
	write(t, dir, sound("r1"))
	set, _ := newSet(dir)
	activate(t, set)
	watch(t, set)

	t.Log("a file is written in place")
	write(t, dir, sound("r2"))
	awaitRevision(t, set, "r2")

	t.Log("a file is renamed into place, as editors do")
	write(t, dir, map[string]string{".manifest.tmp": `{"revision": "r3"}`})
	must(t, os.Rename(filepath.Join(dir, ".manifest.tmp"), filepath.Join(dir, ".manifest")))
	awaitRevision(t, set, "r3")

	t.Log("a directory comes, and then a file in it changes")
	write(t, dir, map[string]string{"teams/hr/hr.rego": "package hr\n\nbroken if {"})
	awaitFailure(t, set)
	write(t, dir, map[string]string{"teams/hr/hr.rego": "package hr\n\nx := 1"})
	write(t, dir, sound("r4"))
	awaitRevision(t, set, "r4")
	write(t, dir, map[string]string{"teams/hr/hr.rego": "package hr\n\nbroken if {"})
	awaitFailure(t, set)

	t.Log("what is broken is repaired")
	must(t, os.RemoveAll(filepath.Join(dir, "teams")))
	write(t, dir, sound("r5"))
	awaitRevision(t, set, "r5")

	t.Log("the directory is replaced by another")
	next := filepath.Join(base, "next")
	write(t, next, sound("r6"))
	must(t, os.Rename(dir, filepath.Join(base, "previous")))
	must(t, os.Rename(next, dir))
	awaitRevision(t, set, "r6")
	write(t, dir, sound("r7"))
	awaitRevision(t, set, "r7")

	t.Log("the directory goes, with the one above it, and comes back")
	must(t, os.RemoveAll(filepath.Dir(dir)))
	awaitFailure(t, set)
	if got := set.Status()[0].Revision; got != "r7" {
		t.Errorf("revision %q is active while the bundle is away, want r7", got)
	}
	write(t, dir, sound("r8"))
	awaitRevision(t, set, "r8")
}

func TestWatchFollowsALinkToAnotherRelease(t *testing.T) {
	base := t.TempDir()
	write(t, filepath.Join(base, "releases", "1", "policies"), sound("r1"))
	write(t, filepath.Join(base, "releases", "2", "policies"), sound("r2"))
	current := filepath.Join(base, "current")
	must(t, os.Symlink(filepath.Join("releases", "1"), current))
	set, _ := newSet(filepath.Join(current, "policies"))
	activate(t, set)
	watch(t, set)
	write(t, filepath.Join(base, "releases", "1", "policies"), sound("r1b"))
	awaitRevision(t, set, "r1b")

	must(t, os.Symlink(filepath.Join("releases", "2"), current+".next"))
	must(t, os.Rename(current+".next", current))
	awaitRevision(t, set, "r2")
	write(t, filepath.Join(base, "releases", "2", "policies"), sound("r3"))
	awaitRevision(t, set, "r3")
}

func TestWatchFollowsAMountedConfigurationMap(t *testing.T) {
	dir := t.TempDir()
	write(t, dir, map[string]string{"..1/authz.rego": sound("")["authz.rego"], "..1/.manifest": `{"revision": "r1"}`})
	write(t, dir, map[string]string{"..2/authz.rego": sound("")["authz.rego"], "..2/.manifest": `{"revision": "r2"}`})
	must(t, os.Symlink("..1", filepath.Join(dir, "..data")))
	for _, name := range []string{"authz.rego", ".manifest"} {
		must(t, os.Symlink(filepath.Join("..data", name), filepath.Join(dir, name)))
	}
	set, _ := newSet(dir)
	if got := activate(t, set).Revision; got != "r1" {
		t.Fatalf("revision %s is active, want r1", got)
	}
	watch(t, set)

	must(t, os.Symlink("..2", filepath.Join(dir, "..data_tmp")))
	must(t, os.Rename(filepath.Join(dir, "..data_tmp"), filepath.Join(dir, "..data")))
	awaitRevision(t, set, "r2")
}

func TestWatchFollowsAnArchive(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "policies.tar.gz")
	must(t, os.WriteFile(path, pack(t, sound("r1")), 0o644))
	set, _ := newSet(path)
	activate(t, set)
	watch(t, set)

	t.Log("written in place")
	must(t, os.WriteFile(path, pack(t, sound("r2")), 0o644))
	awaitRevision(t, set, "r2")

	t.Log("renamed into place")
	must(t, os.WriteFile(path+".new", pack(t, sound("r3")), 0o644))
	must(t, os.Rename(path+".new", path))
	awaitRevision(t, set, "r3")

	t.Log("cut short, then whole")
	must(t, os.WriteFile(path, pack(t, sound("r4"))[:60], 0o644))
	awaitFailure(t, set)
	must(t, os.WriteFile(path, pack(t, sound("r4")), 0o644))
	awaitRevision(t, set, "r4")

	t.Log("removed, then there again")
	must(t, os.Remove(path))
	awaitFailure(t, set)
	must(t, os.WriteFile(path, pack(t, sound("r5")), 0o644))
	awaitRevision(t, set, "r5")
}

func TestWatchCatchesWhatChangedBeforeIt(t *testing.T) {
	dir := t.TempDir()
	write(t, dir, sound("r1"))
	set, _ := newSet(dir)
	activate(t, set)

	write(t, dir, sound("r2"))
	watch(t, set)
	awaitRevision(t, set, "r2")
}

func TestWatchWaitsForABundleThatIsNotThereYet(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "not", "there", "yet")
	set, _ := newSet(dir)
	watch(t, set)
	awaitFailure(t, set)

	write(t, dir, sound("r1"))
	awaitRevision(t, set, "r1")
}

// pack is an archive of files.
func pack(t *testing.T, files map[string]string) []byte {
	t.Helper()
	var packed bytes.Buffer
	zipped := gzip.NewWriter(&packed)
	archive := tar.NewWriter(zipped)
	for name, text := range files {
		must(t, archive.WriteHeader(&tar.Header{Name: name, Mode: 0o644, Size: int64(len(text))}))
		_, err := archive.Write([]byte(text))
		must(t, err)
	}
	must(t, archive.Close())
	must(t, zipped.Close())
	return packed.Bytes()
}
