package bundle

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/verdictpdp/verdict/api/authz"
)

// comments are modules of a size each, which must leave room for a package.
func comments(number, size int) fstest.MapFS {
	fsys := fstest.MapFS{}
	for i := range number {
		text := fmt.Sprintf("package p%d\n# ", i)
		fsys[fmt.Sprintf("%d.rego", i)] = &fstest.MapFile{Data: []byte(text + strings.Repeat("x", size-len(text)))}
	}
	return fsys
}

func TestLimitsOfADirectory(t *testing.T) {
	max := limits{files: 4, fileBytes: 100, bytes: 300}
	for _, c := range []struct {
		name         string
		number, size int
		text         string
	}{
		{"as many files as may be", 4, 50, ""},
		{"one file too many", 5, 50, "bundle b has more than 4 files"},
		{"a file as large as may be", 1, 100, ""},
		{"a file a byte too large", 1, 101, "b/0.rego has more than 100 bytes"},
		{"as many bytes as may be", 3, 100, ""},
		{"a few bytes too many", 4, 76, "bundle b has more than 300 bytes"},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, err := readDirectory(comments(c.number, c.size), ".", origin{name: "b", path: "b"}, max)
			checkLimit(t, err, c.text)
		})
	}
}

func TestLimitsOfADirectoryLeaveOutWhatDoesNotCount(t *testing.T) {
	fsys := comments(1, 50)
	fsys["directory.jsonl"] = &fstest.MapFile{Data: make([]byte, 1000)}
	_, err := readDirectory(fsys, ".", origin{name: "b", path: "b"}, limits{files: 1, fileBytes: 50, bytes: 50})
	checkLimit(t, err, "")
}

func TestLimitsOfAnArchive(t *testing.T) {
	one := int64(len(archive(t, comments(1, 100))))
	for _, c := range []struct {
		name         string
		number, size int
		max          limits
		text         string
	}{
		{"as many entries as may be", 4, 50, limits{4, 100, 1 << 20}, ""},
		{"one entry too many", 5, 50, limits{4, 100, 1 << 20}, "bundle b has more than 4 files"},
		{"a file as large as may be", 1, 100, limits{4, 100, 1 << 20}, ""},
		{"a file a byte too large", 1, 101, limits{4, 100, 1 << 20}, "b/0.rego has more than 100 bytes"},
		{"as many bytes as may be", 1, 100, limits{4, 100, one}, ""},
		{"a byte too many", 1, 100, limits{4, 100, one - 1}, fmt.Sprintf("bundle b has more than %d bytes", one-1)},
	} {
		t.Run(c.name, func(t *testing.T) {
			packed := archive(t, comments(c.number, c.size))
			_, err := readArchive(zipped(t, packed), origin{name: "b", path: "b"}, c.max)
			checkLimit(t, err, c.text)
		})
	}
}

func TestLimitsOfAnArchiveHoldForFilesThatDoNotCount(t *testing.T) {
	bomb := archive(t, fstest.MapFS{
		"a.rego":    {Data: []byte("package a")},
		"zeros.bin": {Data: make([]byte, 1<<20)},
	})
	_, err := readArchive(zipped(t, bomb), origin{name: "b", path: "b"}, limits{files: 2, fileBytes: 100, bytes: 1 << 20})
	checkLimit(t, err, "bundle b has more than 1048576 bytes")
}

func TestLimitsOfAnArchiveHoldForTheDirectoryOfTests(t *testing.T) {
	large := archive(t, fstest.MapFS{"directory.jsonl": {Data: make([]byte, 101)}})
	_, err := readArchive(zipped(t, large), origin{name: "b", path: "b"}, limits{files: 2, fileBytes: 100, bytes: 1 << 20})
	checkLimit(t, err, "b/directory.jsonl has more than 100 bytes: pack what the tests need")
}

// A sparse file is mostly holes, which take no bytes in the archive and all of
// theirs in memory.
func TestLimitsOfAnArchiveCountHoles(t *testing.T) {
	const size = 1 << 20
	packed := slices.Concat(sparse(t, "a/data.json", size), sparse(t, "b/data.json", size), make([]byte, 2*512))
	for _, c := range []struct {
		name string
		max  limits
		text string
	}{
		{"a file a byte too large", limits{4, size - 1, 2 * size}, "b/a/data.json has more than 1048575 bytes"},
		{"all together a byte too large", limits{4, size, 2*size - 1}, "bundle b has more than 2097151 bytes"},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, err := readArchive(zipped(t, packed), origin{name: "b", path: "b"}, c.max)
			checkLimit(t, err, c.text)
		})
	}
}

// sparse is the entry of a file with one byte and then a hole, as GNU tar writes
// it (--format=posix --sparse-version=0.1). The writer of package archive/tar
// writes none.
func sparse(t *testing.T, name string, size int) []byte {
	t.Helper()
	var extension string
	for _, record := range []string{fmt.Sprintf("GNU.sparse.size=%d", size), "GNU.sparse.numblocks=1", "GNU.sparse.map=0,1"} {
		extension += fmt.Sprintf("%d %s\n", len(record)+4, record) // the length, in two digits, counts itself
	}
	header := archive(t, fstest.MapFS{"extension": {Data: []byte(extension)}})[:2*512]
	header[156] = tar.TypeXHeader
	sum := 8 * int(' ') // in place of the checksum itself
	for i, b := range header[:512] {
		if i < 148 || i >= 156 {
			sum += int(b)
		}
	}
	copy(header[148:156], fmt.Sprintf("%06o\x00 ", sum))
	return slices.Concat(header, archive(t, fstest.MapFS{name: {Data: []byte("{")}})[:2*512])
}

// archive is a tar archive of files, not yet gzipped.
func archive(t testing.TB, files fstest.MapFS) []byte {
	t.Helper()
	var packed bytes.Buffer
	w := tar.NewWriter(&packed)
	for _, name := range slices.Sorted(maps.Keys(files)) {
		text := files[name].Data
		if err := w.WriteHeader(&tar.Header{Name: name, Size: int64(len(text)), Mode: 0o644}); err != nil {
			t.Fatal(err)
		}
		if _, err := w.Write(text); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return packed.Bytes()
}

func zipped(t testing.TB, raw []byte) io.Reader {
	t.Helper()
	var zipped bytes.Buffer
	w := gzip.NewWriter(&zipped)
	if _, err := w.Write(raw); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return &zipped
}

func checkLimit(t *testing.T, err error, text string) {
	t.Helper()
	switch {
	case text == "" && err != nil:
		t.Errorf("refused within the limits: %v", err)
	case text != "" && (authz.KindOf(err) != authz.LimitExceeded || !strings.Contains(err.Error(), text)):
		t.Errorf("got %v (%v), want kind LimitExceeded and %q", err, authz.KindOf(err), text)
	}
}
