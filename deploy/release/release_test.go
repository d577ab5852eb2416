package main

import (
	"archive/tar"
	"compress/gzip"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"
)

// A small program in a repository of its own stands for Verdict: what is tried is how
// a release is made, and that takes moments with it.
const program = `package main

var version string

func main() { print(version) }
`

func TestRelease(t *testing.T) {
	repository := repository(t)
	here := platform{runtime.GOOS, runtime.GOARCH}
	r := release{repository: repository, version: "1.2.3", platforms: []platform{here, {"darwin", "arm64"}}}
	dist := filepath.Join(t.TempDir(), "dist")
	if err := r.make(t.Context(), dist); err != nil {
		t.Fatal(err)
	}

	t.Run("what is not committed is left out", func(t *testing.T) {
		write(t, filepath.Join(repository, "cmd/verdict/main.go"), "this does not compile")
		if err := r.make(t.Context(), filepath.Join(t.TempDir(), "dist")); err != nil {
			t.Error(err)
		}
	})

	t.Run("built again, the bytes are the same", func(t *testing.T) {
		again := filepath.Join(t.TempDir(), "dist")
		if err := r.make(t.Context(), again); err != nil {
			t.Fatal(err)
		}
		if err := same(dist, again); err != nil {
			t.Error(err)
		}
		write(t, filepath.Join(again, imageDir, "data", "more"), "")
		if err := same(dist, again); err == nil || !strings.Contains(err.Error(), "image/data/more is not the same") {
			t.Errorf("a file more is told by %v", err)
		}
	})

	t.Run("the archive has the program and what belongs to it", func(t *testing.T) {
		name := "verdict_1.2.3_" + here.String()
		modes := unpack(t, filepath.Join(dist, name+".tar.gz"), t.TempDir())
		want := map[string]int64{name + "/verdict": 0o755}
		for _, file := range besides {
			want[name+"/"+filepath.Base(file)] = 0o644
		}
		for file, mode := range want {
			if modes[file] != mode {
				t.Errorf("%s has mode %o, want %o", file, modes[file], mode)
			}
		}
		if len(modes) != len(want) {
			t.Errorf("the archive has %v", modes)
		}
	})

	t.Run("the program says its version", func(t *testing.T) {
		dir := t.TempDir()
		name := "verdict_1.2.3_" + here.String()
		unpack(t, filepath.Join(dist, name+".tar.gz"), dir)
		out, err := exec.CommandContext(t.Context(), filepath.Join(dir, name, "verdict")).CombinedOutput()
		if err != nil || string(out) != "1.2.3" {
			t.Errorf("it prints %q, %v", out, err)
		}
	})

	t.Run("the SBOM names the program, its commit and Go", func(t *testing.T) {
		text := read(t, filepath.Join(dist, "verdict_1.2.3_darwin_arm64.cdx.json"))
		var list struct {
			BOMFormat string
			Metadata  struct {
				Component struct {
					PURL       string
					Hashes     []struct{ Content string }
					Properties []struct{ Name, Value string }
				}
			}
			Components []struct{ PURL string }
		}
		if err := json.Unmarshal([]byte(text), &list); err != nil {
			t.Fatal(err)
		}
		var purls []string
		for _, component := range list.Components {
			purls = append(purls, component.PURL)
		}
		if want := "pkg:golang/std@" + strings.TrimPrefix(runtime.Version(), "go"); !slices.Contains(purls, want) {
			t.Errorf("there is no %s in %q", want, purls)
		}
		component := list.Metadata.Component
		if list.BOMFormat != "CycloneDX" || component.PURL != "pkg:golang/example.com/small@1.2.3" || len(component.Hashes) != 1 {
			t.Errorf("the SBOM is of %+v", list)
		}
		commit := git(t, repository, "rev-parse", "HEAD")
		if !slices.ContainsFunc(component.Properties, func(p struct{ Name, Value string }) bool { return p.Value == commit }) {
			t.Errorf("the commit %s is not in %v", commit, component.Properties)
		}
	})

	t.Run("the checksums are of all files", func(t *testing.T) {
		lines := strings.Split(strings.TrimSpace(read(t, filepath.Join(dist, sumsFile))), "\n")
		for _, line := range lines {
			sum, name, _ := strings.Cut(line, "  ")
			if got := fmt.Sprintf("%x", sha256.Sum256([]byte(read(t, filepath.Join(dist, name))))); got != sum {
				t.Errorf("%s has %s, and %s says %s", name, got, sumsFile, sum)
			}
		}
		all, err := sums(dist)
		if err != nil || len(all) != len(lines)+1 {
			t.Errorf("%d files have a checksum, of %d: %v", len(lines), len(all), err)
		}
	})

	t.Run("the image has its program and a directory for the store", func(t *testing.T) {
		if here.os == "linux" {
			read(t, filepath.Join(dist, imageDir, here.String(), "verdict"))
		}
		if entries, err := os.ReadDir(filepath.Join(dist, imageDir, "data")); err != nil || len(entries) != 0 {
			t.Errorf("the store's directory has %v, %v", entries, err)
		}
		if _, err := os.Stat(filepath.Join(dist, imageDir, "darwin_arm64")); err == nil {
			t.Error("there is a program for an image of darwin")
		}
	})
}

func TestReleaseLeavesNothingHalfMade(t *testing.T) {
	repository := repository(t)
	write(t, filepath.Join(repository, "cmd/verdict/main.go"), "this does not compile")
	git(t, repository, "commit", "--quiet", "--all", "--message", "break it")
	dist := filepath.Join(t.TempDir(), "dist")
	r := release{repository: repository, version: "1.2.3", platforms: []platform{{runtime.GOOS, runtime.GOARCH}}}
	if err := r.make(t.Context(), dist); err == nil {
		t.Error("a program that does not compile is released")
	}
	if _, err := os.Stat(dist); err == nil {
		t.Errorf("%s is left behind", dist)
	}
}

func TestReleaseRefusesOddVersions(t *testing.T) {
	for _, version := range []string{"", "v1.2.3", "1.2", "1.2.3 ", "latest", "1.2.3+dirty"} {
		t.Run(version, func(t *testing.T) {
			err := run(t.Context(), []string{"-version", version, "-out", filepath.Join(t.TempDir(), "dist")})
			if err == nil || !strings.Contains(err.Error(), "expected a version such as 1.2.3") {
				t.Errorf("the error is %v", err)
			}
		})
	}
}

// repository makes a repository that can be released.
func repository(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	files := map[string]string{"go.mod": "module example.com/small\n\ngo 1.26.0\n", "cmd/verdict/main.go": program}
	for _, file := range besides {
		files[file] = "of " + file
	}
	files[profile] = ""
	for name, text := range files {
		write(t, filepath.Join(dir, name), text)
	}
	git(t, dir, "init", "--quiet")
	git(t, dir, "add", ".")
	git(t, dir, "commit", "--quiet", "--message", "begin")
	return dir
}

func git(t *testing.T, dir string, args ...string) string {
	t.Helper()
	args = append([]string{"-c", "user.name=release", "-c", "user.email=release@example.com"}, args...)
	out, err := output(t.Context(), dir, "git", args...)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

func write(t *testing.T, name, text string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(name, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
}

func read(t *testing.T, name string) string {
	t.Helper()
	text, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// unpack writes an archive's files into a directory, and returns their modes.
func unpack(t *testing.T, name, dir string) map[string]int64 {
	t.Helper()
	file, err := os.Open(name)
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	uncompressed, err := gzip.NewReader(file)
	if err != nil {
		t.Fatal(err)
	}
	modes := map[string]int64{}
	for entries := tar.NewReader(uncompressed); ; {
		entry, err := entries.Next()
		if errors.Is(err, io.EOF) {
			return modes
		}
		if err != nil {
			t.Fatal(err)
		}
		text, err := io.ReadAll(entries)
		if err != nil {
			t.Fatal(err)
		}
		write(t, filepath.Join(dir, entry.Name), string(text))
		if err := os.Chmod(filepath.Join(dir, entry.Name), os.FileMode(entry.Mode)); err != nil {
			t.Fatal(err)
		}
		modes[entry.Name] = entry.Mode
	}
}
