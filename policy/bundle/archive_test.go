package bundle_test

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"testing"

	opa "github.com/open-policy-agent/opa/v1/bundle"

	"github.com/verdictpdp/verdict/api/authz"
	"github.com/verdictpdp/verdict/policy/bundle"
)

// An entry is an entry of an archive: a file unless the header says otherwise.
type entry struct {
	header tar.Header
	text   string
}

func regular(name, text string) entry {
	return entry{tar.Header{Name: name, Typeflag: tar.TypeReg, Mode: 0o644}, text}
}

// entries are the files in the order of their names.
func (f files) entries() []entry {
	var all []entry
	for _, name := range slices.Sorted(maps.Keys(f)) {
		all = append(all, regular(name, f[name]))
	}
	return all
}

// pack is a gzipped archive of the entries.
func pack(t testing.TB, entries ...entry) []byte {
	t.Helper()
	var packed bytes.Buffer
	zipped := gzip.NewWriter(&packed)
	archive := tar.NewWriter(zipped)
	for _, e := range entries {
		e.header.Size = int64(len(e.text))
		if err := archive.WriteHeader(&e.header); err != nil {
			t.Fatal(err)
		}
		if _, err := archive.Write([]byte(e.text)); err != nil {
			t.Fatal(err)
		}
	}
	if err := archive.Close(); err != nil {
		t.Fatal(err)
	}
	if err := zipped.Close(); err != nil {
		t.Fatal(err)
	}
	return packed.Bytes()
}

func readArchive(t testing.TB, packed []byte) (*bundle.Bundle, error) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "b.tar.gz")
	if err := os.WriteFile(path, packed, 0o644); err != nil {
		t.Fatal(err)
	}
	return bundle.Read(path)
}

func TestReadTakesArchives(t *testing.T) {
	for _, c := range []struct {
		name    string
		entries []entry
	}{
		{"of plain names", []entry{regular("authz.rego", allow)}},
		{"packed from inside (tar -C dir .)", []entry{{header: tar.Header{Name: "./", Typeflag: tar.TypeDir}}, regular("./authz.rego", allow)}},
		{"of names with a leading slash, as OPA writes them", []entry{regular("/authz.rego", allow)}},
		{"made by git", []entry{{header: tar.Header{Typeflag: tar.TypeXGlobalHeader, PAXRecords: map[string]string{"comment": "abc"}}}, regular("authz.rego", allow)}},
	} {
		t.Run(c.name, func(t *testing.T) {
			b, err := readArchive(t, pack(t, c.entries...))
			if err != nil {
				t.Fatal(err)
			}
			if len(b.Modules) != 1 || b.Name != "b" {
				t.Errorf("got bundle %q with modules %v, want b with authz.rego", b.Name, paths(b.Modules))
			}
		})
	}
}

func TestReadTakesWhatOPAWrites(t *testing.T) {
	var packed bytes.Buffer
	manifest := opa.Manifest{Revision: "r9"}
	manifest.Init()
	if err := opa.NewWriter(&packed).DisableFormat(true).Write(opa.Bundle{
		Manifest: manifest,
		Data:     map[string]any{"limits": map[string]any{"a": 1}},
		Modules:  []opa.ModuleFile{{URL: "/authz.rego", Path: "/authz.rego", Raw: []byte(allow)}},
	}); err != nil {
		t.Fatal(err)
	}
	b, err := readArchive(t, packed.Bytes())
	if err != nil {
		t.Fatal(err)
	}
	if b.Revision != "r9" || len(b.Modules) != 1 || b.Data["limits"] == nil {
		t.Errorf("got %+v", b)
	}
}

func TestReadRefusesArchives(t *testing.T) {
	sound := pack(t, regular("authz.rego", allow))
	unzipped := func() []byte {
		var b bytes.Buffer
		archive := tar.NewWriter(&b)
		_ = archive.Close()
		return b.Bytes()
	}()
	for _, c := range []struct {
		name   string
		packed []byte
		parts  []string
	}{
		{"that are not gzipped", unzipped, []string{"neither a directory nor gzipped"}},
		{"that are empty", nil, []string{"neither a directory nor gzipped"}},
		{"of another sort", zip([]byte("hello, this is no archive")), []string{"cut short"}},
		{"of noise", zip(bytes.Repeat([]byte("noise"), 400)), []string{"not a sound archive"}},
		{"cut in the middle", sound[:len(sound)/2], []string{"cut short"}},
		{"without gzip's checksum", sound[:len(sound)-8], []string{"cut short"}},
		{"with another checksum", append(slices.Clone(sound[:len(sound)-8]), make([]byte, 8)...), []string{"not a sound archive", "checksum"}},
		{"that climb out", pack(t, regular("../authz.rego", allow)), []string{`"../authz.rego" climbs`}},
		{"that climb out on the way", pack(t, regular("a/../../authz.rego", allow)), []string{"climbs"}},
		{"that climb even where nothing counts", pack(t, regular("a/../README.md", "")), []string{"climbs"}},
		{"of names with backslashes", pack(t, regular(`..\authz.rego`, allow)), []string{"slashes"}},
		{"of names that are not UTF-8", pack(t, regular("a\xff.rego", allow)), []string{"not UTF-8"}},
		{"with a link", pack(t, entry{header: tar.Header{Name: "authz.rego", Typeflag: tar.TypeSymlink, Linkname: "/etc/passwd"}}), []string{`"authz.rego" is neither`, "--dereference"}},
		{"with a hard link", pack(t, entry{header: tar.Header{Name: "authz.rego", Typeflag: tar.TypeLink, Linkname: "x"}}), []string{"neither a file nor a directory"}},
		{"with a device", pack(t, entry{header: tar.Header{Name: "null", Typeflag: tar.TypeChar}}), []string{"neither a file nor a directory"}},
		{"with a file twice", pack(t, regular("authz.rego", allow), regular("./authz.rego", allow)), []string{`"authz.rego" stands twice`}},
		{"packed with their directory", pack(t, regular("b/.manifest", "{}")), []string{"give", "/b itself"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, err := readArchive(t, c.packed)
			wantError(t, err, authz.Invalid, append(c.parts, "b.tar.gz")...)
		})
	}
}

// zip gzips bytes that need be no archive.
func zip(raw []byte) []byte {
	var zipped bytes.Buffer
	w := gzip.NewWriter(&zipped)
	_, _ = w.Write(raw)
	_ = w.Close()
	return zipped.Bytes()
}
