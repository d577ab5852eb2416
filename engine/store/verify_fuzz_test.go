package store

import (
	"bytes"
	"path/filepath"
	"strings"
	"testing"
)

// FuzzVerifyTable and FuzzVerifyLog verify what is no table and no log, or one that was
// changed: each is refused or read, and ends nothing.

func FuzzVerifyTable(f *testing.F) {
	whole := storeFile(f, "*.sst")
	f.Add(whole)
	f.Add(whole[:len(whole)/2])
	f.Add(make([]byte, 100))
	f.Add([]byte{})
	f.Fuzz(func(t *testing.T, table []byte) {
		_, err := verifyTableIn(bytes.NewReader(table), int64(len(table)))
		if err != nil || len(table) == 0 {
			if err == nil {
				t.Error("nothing is a table")
			}
			return
		}
		flipped := bytes.Clone(table)
		flipped[len(flipped)/3] ^= 1
		if _, err := verifyTableIn(bytes.NewReader(flipped), int64(len(flipped))); err == nil {
			t.Error("a table is verified, and with a flipped bit as well")
		}
	})
}

func FuzzVerifyLog(f *testing.F) {
	whole := bytes.TrimRight(storeFile(f, "*.mem"), "\x00")
	f.Add(whole)
	f.Add(append(bytes.Clone(whole), make([]byte, 100)...))
	f.Add(whole[:len(whole)/2])
	f.Add(make([]byte, 100))
	f.Add([]byte{})
	f.Fuzz(func(t *testing.T, log []byte) {
		highest, end, err := verifyLogIn(bytes.NewReader(log), 0)
		if err == nil && (end > int64(len(log)) || highest > 0 && end == 0) {
			t.Errorf("a log of %d bytes ends at %d, with revision %d", len(log), end, highest)
		}
	})
}

// storeFile is a file of a store that was written to and killed.
func storeFile(f *testing.F, pattern string) []byte {
	f.Helper()
	left := leaveStore(f)
	paths, err := filepath.Glob(filepath.Join(left.dir, pattern))
	if err != nil || len(paths) == 0 {
		f.Fatalf("%s: %q, %v", pattern, paths, err)
	}
	return readFile(f, paths[0])
}

// TestFileOfZerosIsFound has a file with nothing but zeros, whose checksums are those of
// nothing.
func TestFileOfZerosIsFound(t *testing.T) {
	left := leaveStore(t)
	for _, name := range left.files {
		if filepath.Ext(name) != ".sst" && !strings.HasPrefix(name, "MANIFEST") {
			continue
		}
		path := filepath.Join(left.dir, name)
		text := readFile(t, path)
		for _, size := range []int{1, 4, 8, 12, 100, len(text)} {
			writeFile(t, path, make([]byte, size))
			if !left.damaged(t, name+" of zeros") {
				t.Errorf("%s of %d zeros is not found", name, size)
			}
		}
		writeFile(t, path, text)
	}
}
