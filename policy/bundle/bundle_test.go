package bundle_test

import (
	"encoding/json"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/google/go-cmp/cmp"

	"github.com/verdictpdp/verdict/api/authz"
	"github.com/verdictpdp/verdict/policy/bundle"
)

// files are files of a bundle, by path.
type files map[string]string

func (f files) fs() fstest.MapFS {
	fsys := fstest.MapFS{}
	for name, text := range f {
		fsys[name] = &fstest.MapFile{Data: []byte(text)}
	}
	return fsys
}

// in writes the files below dir.
func (f files) in(t *testing.T, dir string) string {
	t.Helper()
	for name, text := range f {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

// complete is a bundle with one of everything.
var complete = files{
	".manifest":              `{"revision": "r1", "roots": ["authz", "limits"]}`,
	"authz.rego":             "package authz\n\nimport rego.v2\n\n# METADATA\n# title: Everyone\nallow if true\n",
	"hr.rego":                "package authz.hr",
	"hr/salary.rego":         "package authz.hr\n\nfloor := data.limits.floor\n",
	"authz_test.rego":        "package authz_test\n\ntest_allow if data.authz.allow\n",
	"limits/data.json":       `{"floor": 9007199254740993}`,
	"limits/nights/data.yml": "from: 22\nto: 6\n",
	"directory.jsonl":        `{"entity": {"type": "user", "id": "mina"}}`,
	"requests.jsonl":         `{}`,
	"README.md":              "# How to adapt it",
	".git/config.rego":       "no rego at all",
	".#authz.rego":           "an editor's lock",
}

func paths(modules []bundle.Module) []string {
	var all []string
	for _, m := range modules {
		all = append(all, m.Path)
	}
	return all
}

func TestReadOfADirectory(t *testing.T) {
	dir := complete.in(t, filepath.Join(t.TempDir(), "workforce"))

	b, err := bundle.Read(dir)
	if err != nil {
		t.Fatal(err)
	}

	if b.Name != "workforce" || b.Revision != "r1" {
		t.Errorf("got bundle %q at revision %q, want workforce at r1", b.Name, b.Revision)
	}
	if diff := cmp.Diff([]string{dir + "/authz.rego", dir + "/hr.rego", dir + "/hr/salary.rego"}, paths(b.Modules)); diff != "" {
		t.Errorf("modules (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff([]string{dir + "/authz_test.rego"}, paths(b.TestModules)); diff != "" {
		t.Errorf("test modules (-want +got):\n%s", diff)
	}
	data := map[string]any{"limits": map[string]any{
		"floor":  json.Number("9007199254740993"),
		"nights": map[string]any{"from": json.Number("22"), "to": json.Number("6")},
	}}
	if diff := cmp.Diff(data, b.Data); diff != "" {
		t.Errorf("data (-want +got):\n%s", diff)
	}
	if got := b.Modules[0].Parsed.Annotations; len(got) != 1 || got[0].Title != "Everyone" {
		t.Errorf("metadata annotations %v, want the title Everyone", got)
	}
}

// lines are what a bundle's tests find in the directory.
func lines(t *testing.T, b *bundle.Bundle) string {
	t.Helper()
	opened, err := b.Directory()
	if err != nil {
		t.Fatal(err)
	}
	defer opened.Close()
	text, err := io.ReadAll(opened)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

func TestReadAfterParsesWhatHasChanged(t *testing.T) {
	dir := complete.in(t, t.TempDir())
	before, err := bundle.Read(dir)
	if err != nil {
		t.Fatal(err)
	}
	files{"hr.rego": "package authz.hr\n\nother := 1\n"}.in(t, dir)
	rests := 0
	after, err := bundle.ReadAfter(dir, before, func() { rests++ })
	if err != nil {
		t.Fatal(err)
	}
	if modules := len(after.Modules) + len(after.TestModules); rests < modules {
		t.Errorf("others have their turn %d times while %d modules are read", rests, modules)
	}
	anew, err := bundle.Read(dir)
	if err != nil {
		t.Fatal(err)
	}
	if after.Digest != anew.Digest || after.Digest == before.Digest {
		t.Errorf("the digest is %s, want %s, which is not that of before", after.Digest, anew.Digest)
	}
	modules := slices.Concat(after.Modules, after.TestModules)
	wanted, was := slices.Concat(anew.Modules, anew.TestModules), slices.Concat(before.Modules, before.TestModules)
	for i, m := range modules {
		if !m.Parsed.Equal(wanted[i].Parsed) {
			t.Errorf("%s is\n%s, want\n%s", m.Path, m.Parsed, wanted[i].Parsed)
		}
		if changed := filepath.Base(m.Path) == "hr.rego"; (m.Parsed != was[i].Parsed) != changed {
			t.Errorf("%s was parsed again: %v, want %v", m.Path, m.Parsed != was[i].Parsed, changed)
		}
	}
	t.Log("a file that is the same is parsed again where the manifest says that it is another version of Rego")
	files{".manifest": `{"revision": "r1", "roots": ["authz", "limits"], "rego_version": 0}`, "authz.rego": "package authz\n\nallow { true }\n", "authz_test.rego": "package authz_test\n\ntest_allow { data.authz.allow }\n"}.in(t, dir)
	old, err := bundle.ReadAfter(dir, after, nil)
	if err != nil {
		t.Fatal(err)
	}
	for i, m := range old.Modules {
		if m.Parsed == modules[i].Parsed {
			t.Errorf("%s was not parsed again", m.Path)
		}
	}
}

func TestReadIsTheSameFromEverySource(t *testing.T) {
	dir := complete.in(t, filepath.Join(t.TempDir(), "workforce"))
	archive := filepath.Join(t.TempDir(), "workforce.tar.gz")
	if err := os.WriteFile(archive, pack(t, complete.entries()...), 0o644); err != nil {
		t.Fatal(err)
	}
	fromDir, err := bundle.Read(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		name string
		read func() (*bundle.Bundle, error)
		path string
	}{
		{"archive", func() (*bundle.Bundle, error) { return bundle.Read(archive) }, archive + "/authz.rego"},
		{"file system", func() (*bundle.Bundle, error) { return bundle.ReadFS(os.DirFS(filepath.Dir(dir)), "workforce") }, "workforce/authz.rego"},
		{"top of a file system", func() (*bundle.Bundle, error) { return bundle.ReadFS(complete.fs(), ".") }, "authz.rego"},
	} {
		t.Run(c.name, func(t *testing.T) {
			b, err := c.read()
			if err != nil {
				t.Fatal(err)
			}
			if b.Digest != fromDir.Digest || b.Revision != fromDir.Revision {
				t.Errorf("got %s (%s), want %s (%s) as from the directory", b.Revision, b.Digest, fromDir.Revision, fromDir.Digest)
			}
			if b.TestDigest != fromDir.TestDigest || b.TestDigest == "" {
				t.Errorf("got tests %s, want %s as from the directory", b.TestDigest, fromDir.TestDigest)
			}
			if got := lines(t, b); got != complete["directory.jsonl"] {
				t.Errorf("got the directory %q, want %q", got, complete["directory.jsonl"])
			}
			if b.Modules[0].Path != c.path {
				t.Errorf("got path %q, want %q", b.Modules[0].Path, c.path)
			}
			if at := b.Modules[0].Parsed.Package.Location.File; at != c.path {
				t.Errorf("errors would name %q, want %q", at, c.path)
			}
		})
	}
}

func TestRevisionWithoutAManifestFollowsTheContent(t *testing.T) {
	base := files{"authz.rego": "package authz\n\nallow := true\n", "data.json": "{}"}
	read := func(change files) *bundle.Bundle {
		t.Helper()
		fsys := base.fs()
		for name, text := range change {
			if text == "" {
				delete(fsys, name)
			} else {
				fsys[name] = &fstest.MapFile{Data: []byte(text)}
			}
		}
		b, err := bundle.ReadFS(fsys, ".")
		if err != nil {
			t.Fatal(err)
		}
		return b
	}
	first := read(nil)
	if !regexp.MustCompile(`^sha256:[0-9a-f]{12}$`).MatchString(first.Revision) || !strings.Contains(first.Digest, first.Revision[7:]) {
		t.Fatalf("revision %q is not the beginning of digest %q", first.Revision, first.Digest)
	}
	for _, c := range []struct {
		name   string
		change files
		same   bool
		tests  bool
	}{
		{"nothing", nil, true, true},
		{"a file that does not count", files{"README.md": "read me"}, true, true},
		{"a test", files{"authz_test.rego": "package authz_test"}, true, false},
		{"the directory of the tests", files{"directory.jsonl": "{}"}, true, true},
		{"a module's text", files{"authz.rego": "package authz\n\nallow := false\n"}, false, true},
		{"a module's name", files{"authz.rego": "", "other.rego": base["authz.rego"]}, false, true},
		{"data", files{"data.json": `{"a": 1}`}, false, true},
		{"a manifest without a revision", files{".manifest": `{"roots": ["authz"]}`, "data.json": ""}, false, true},
	} {
		t.Run(c.name, func(t *testing.T) {
			got := read(c.change)
			if (got.Revision == first.Revision) != c.same {
				t.Errorf("revision %s after %s, same as before: want %v", got.Revision, c.name, c.same)
			}
			if (got.TestDigest == first.TestDigest) != c.tests {
				t.Errorf("tests %s after %s, same as before: want %v", got.TestDigest, c.name, c.tests)
			}
		})
	}
}

func TestWithAddsTheLibraryPackagesThatTheBundleLacks(t *testing.T) {
	own, err := bundle.ReadFS(files{
		".manifest":  `{"revision": "r1"}`,
		"authz.rego": "package authz",
		"rbac.rego":  "package verdict.rbac",
	}.fs(), ".")
	if err != nil {
		t.Fatal(err)
	}
	library, err := bundle.ReadFS(files{
		"lib/rbac.rego":      "package verdict.rbac",
		"lib/request.rego":   "package verdict.request",
		"lib/rbac_test.rego": "package verdict.rbac_test",
		"lib/data.json":      `{"from": "the library"}`,
	}.fs(), "lib")
	if err != nil {
		t.Fatal(err)
	}

	both := own.With(library)

	if diff := cmp.Diff([]string{"authz.rego", "rbac.rego", "lib/request.rego"}, paths(both.Modules)); diff != "" {
		t.Errorf("modules (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff([]string{"data.verdict.rbac"}, both.Replaced); diff != "" {
		t.Errorf("packages that are replaced (-want +got):\n%s", diff)
	}
	if len(both.TestModules) != 0 || len(both.Data) != 0 {
		t.Errorf("the library's tests or data came along: %v, %v", paths(both.TestModules), both.Data)
	}
	if both.Revision != "r1" || both.Digest == own.Digest {
		t.Errorf("got revision %s and digest %s; want that of the bundle, and another than its %s", both.Revision, both.Digest, own.Digest)
	}
	if len(own.Modules) != 2 {
		t.Error("the bundle itself has changed")
	}
}

func TestReadFollowsLinksToFilesOnly(t *testing.T) {
	elsewhere := files{"shared.rego": "package authz\n\nallow := true", "more/extra.rego": "package extra"}.in(t, t.TempDir())
	dir := t.TempDir()
	for _, name := range []string{"shared.rego", "more"} {
		if err := os.Symlink(filepath.Join(elsewhere, name), filepath.Join(dir, name)); err != nil {
			t.Fatal(err)
		}
	}
	b, err := bundle.Read(dir)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]string{dir + "/shared.rego"}, paths(b.Modules)); diff != "" {
		t.Errorf("modules (-want +got):\n%s", diff)
	}
}

func TestReadOfWhatIsNoBundle(t *testing.T) {
	dir := files{"authz.rego": "package authz"}.in(t, t.TempDir())
	for _, c := range []struct {
		name, path string
		kind       authz.Kind
		text       string
	}{
		{"nothing there", filepath.Join(dir, "missing"), authz.NotFound, "does not exist"},
		{"a Rego file", filepath.Join(dir, "authz.rego"), authz.Invalid, "give a directory or an OPA bundle (.tar.gz)"},
		{"a device", os.DevNull, authz.Invalid, "neither a directory nor a file"},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, err := bundle.Read(c.path)
			wantError(t, err, c.kind, c.path, c.text)
		})
	}
	t.Run("a link to nothing", func(t *testing.T) {
		dir := t.TempDir()
		if err := os.Symlink("gone.rego", filepath.Join(dir, "authz.rego")); err != nil {
			t.Fatal(err)
		}
		_, err := bundle.Read(dir)
		wantError(t, err, authz.Invalid, dir+"/authz.rego cannot be read: ")
	})
	t.Run("nothing in a file system", func(t *testing.T) {
		_, err := bundle.ReadFS(os.DirFS(dir), "missing")
		wantError(t, err, authz.NotFound, "missing does not exist")
	})
	t.Run("a file of a file system", func(t *testing.T) {
		_, err := bundle.ReadFS(os.DirFS(dir), "authz.rego")
		wantError(t, err, authz.Invalid, "not a directory")
	})
}

// wantError checks an error's kind and that its text has all the parts.
func wantError(t *testing.T, err error, kind authz.Kind, parts ...string) {
	t.Helper()
	if err == nil {
		t.Fatalf("no error, want one of kind %v with %q", kind, parts)
	}
	if got := authz.KindOf(err); got != kind {
		t.Errorf("kind %v of %q, want %v", got, err, kind)
	}
	for _, part := range parts {
		if !strings.Contains(err.Error(), part) {
			t.Errorf("error %q lacks %q", err, part)
		}
	}
}
