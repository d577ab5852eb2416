package store

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"go.uber.org/zap/zaptest"

	"github.com/verdictpdp/verdict/api/authz"
)

// A leftStore is a store as a kill leaves it, with tables and a log, and what it
// holds.
type leftStore struct {
	dir   string
	files []string
	holds string
}

// zerosBehind is how many of the zeros behind the end of a log are kept.
const zerosBehind = 4

func leaveStore(t testing.TB) leftStore {
	t.Helper()
	dir := t.TempDir()
	options := Options{Dir: dir, Retention: time.Hour, Clock: time.Now, Logger: zaptest.NewLogger(t)}
	number := 0
	write := func(s *Store) {
		t.Helper()
		fill(t, s)
		for range 6 {
			number++
			_, err := s.Update(t.Context(), tenant, func(tx *Tx) error {
				ref := authz.EntityRef{Type: "user", ID: fmt.Sprint("u", number%4)}
				_, err := tx.PutEntity(authz.Entity{Ref: ref, Attributes: fmt.Appendf(nil, `{"n":%d}`, number), Parents: []authz.EntityRef{night}})
				return err
			})
			if err != nil {
				t.Fatal(err)
			}
		}
	}
	for range 2 {
		s, err := Open(options)
		if err != nil {
			t.Fatal(err)
		}
		write(s)
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
	}
	s := newStore(t, dir)
	write(s)
	left := leftStore{dir: t.TempDir(), holds: everything(t, s)}
	copyStore(t, left.dir, dir)
	children, err := os.ReadDir(left.dir)
	if err != nil {
		t.Fatal(err)
	}
	kinds := map[string]int{}
	for _, child := range children {
		left.files = append(left.files, child.Name())
		kinds[filepath.Ext(child.Name())]++
		if filepath.Ext(child.Name()) != ".mem" {
			continue
		}
		// Most of a log are the zeros behind its end.
		path := filepath.Join(left.dir, child.Name())
		log := bytes.TrimRight(readFile(t, path), "\x00")
		writeFile(t, path, append(log, make([]byte, zerosBehind)...))
	}
	if kinds[".sst"] < 2 || kinds[".mem"] != 1 || kinds[""] < 3 {
		t.Fatalf("a store has the files %q: expected two tables, a log, and others", left.files)
	}
	return left
}

func readFile(t testing.TB, path string) []byte {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return text
}

func writeFile(t testing.TB, path string, text []byte) {
	t.Helper()
	if err := os.WriteFile(path, text, 0o600); err != nil {
		t.Fatal(err)
	}
}

// everything is all that a store holds, at each revision that it keeps.
func everything(t testing.TB, s *Store) string {
	t.Helper()
	var all strings.Builder
	oldest, latest := s.Revisions()
	fmt.Fprintln(&all, oldest, latest)
	for revision := oldest; revision <= latest; revision++ {
		view, err := s.At(tenant, revision)
		if err != nil {
			t.Fatal(err)
		}
		show := func(err error) {
			if err != nil {
				fmt.Fprintln(&all, err)
			}
		}
		show(view.eachRecord(func(r Record) bool {
			fmt.Fprintf(&all, "%+v %s\n", r.Ref, r.Attributes)
			return true
		}))
		show(view.EachGrant("", func(g authz.Grant) bool { fmt.Fprintf(&all, "%+v\n", g); return true }))
		show(view.EachChange(oldest, func(c ChangeRecord) bool {
			text, err := json.Marshal(c)
			fmt.Fprintf(&all, "%s %v\n", text, err)
			return true
		}))
		show(view.Check(t.Context(), func(damage string) bool { fmt.Fprintln(&all, damage); return true }))
		view.Close()
	}
	return all.String()
}

// expectWhole opens a copy of the store, which must hold what it held.
func (left leftStore) expectWhole(t *testing.T) {
	t.Helper()
	dir := t.TempDir()
	copyStore(t, dir, left.dir)
	s, err := Open(Options{Dir: dir, Retention: time.Hour, Clock: time.Now, Logger: zaptest.NewLogger(t)})
	if err != nil {
		t.Errorf("what was verified is not opened: %v", err)
		return
	}
	if holds := everything(t, s); holds != left.holds {
		t.Errorf("the store holds something else, and does not say so:\n%s", holds)
	}
	if err := s.Close(); err != nil {
		t.Error(err)
	}
}

// damaged holds that a store whose file was changed is refused with the name of a
// file that is wrong, or holds what it held.
func (left leftStore) damaged(t *testing.T, name string) (refused bool) {
	t.Helper()
	_, err := verifyFiles(left.dir)
	if err == nil {
		left.expectWhole(t)
		return false
	}
	if authz.KindOf(err) != authz.FailedPrecondition || !strings.Contains(err.Error(), left.dir) || !strings.Contains(err.Error(), "restore") {
		t.Errorf("%s: error %v of kind %s, which does not name the file and what to do", name, err, authz.KindOf(err))
	}
	return true
}

// flip flips a bit of one byte of a file.
func flip(path string, at int) error {
	file, err := os.OpenFile(path, os.O_RDWR, 0)
	if err != nil {
		return err
	}
	one := make([]byte, 1)
	_, err = file.ReadAt(one, int64(at))
	one[0] ^= 1 << (at % 8)
	_, err2 := file.WriteAt(one, int64(at))
	return errors.Join(err, err2, file.Close())
}

// TestFlippedBitIsFound flips a bit of each byte of each file of a store, one at
// a time.
func TestFlippedBitIsFound(t *testing.T) {
	left := leaveStore(t)
	left.expectWhole(t)
	for _, name := range left.files {
		t.Run(name, func(t *testing.T) {
			path := filepath.Join(left.dir, name)
			text := readFile(t, path)
			defer writeFile(t, path, text)
			step, tolerated := 1, 0
			if testing.Short() {
				step = 1 + len(text)/50
			}
			end := len(text)
			if name == "DISCARD" || name == "KEYREGISTRY" { // which hold nothing of ours
				end = min(end, 40)
				step = 8
			}
			for at := 0; at < end; at += step {
				if err := flip(path, at); err != nil {
					t.Fatal(err)
				}
				if !left.damaged(t, fmt.Sprintf("byte %d of %s", at, name)) {
					tolerated++
				}
				if err := flip(path, at); err != nil {
					t.Fatal(err)
				}
			}
			t.Logf("%d bytes, flips in %d of them make no difference", len(text), tolerated)
			// The header of a log has 12 bytes that say nothing, and zeros follow it.
			allowed := map[string]int{".mem": 12 + zerosBehind, ".sst": 0}
			if most, bounded := allowed[filepath.Ext(name)]; bounded && tolerated > most {
				t.Errorf("%d flips make no difference: expected %d at most", tolerated, most)
			}
		})
	}
}

// TestTruncatedFileIsFound cuts each file of a store off at many lengths, and
// takes it away.
func TestTruncatedFileIsFound(t *testing.T) {
	left := leaveStore(t)
	for _, name := range left.files {
		t.Run(name, func(t *testing.T) {
			path := filepath.Join(left.dir, name)
			text := readFile(t, path)
			defer writeFile(t, path, text)
			steps := 40
			if testing.Short() || name == "DISCARD" || name == "KEYREGISTRY" {
				steps = 4
			}
			for at := 0; at < len(text); at += 1 + len(text)/steps {
				writeFile(t, path, text[:at])
				left.damaged(t, fmt.Sprintf("%d bytes of %s", at, name))
			}
			if err := os.Remove(path); err != nil {
				t.Fatal(err)
			}
			refused := left.damaged(t, name+" taken away")
			if needed := filepath.Ext(name) != "" || name == "MANIFEST"; needed && !refused {
				t.Error("the file is gone, and the store is opened")
			}
		})
	}
}

// TestZeroedLogIsFound has a part of a log read as zeros, as a hole does, at
// which Badger takes it to end.
func TestZeroedLogIsFound(t *testing.T) {
	left := leaveStore(t)
	for _, name := range left.files {
		if filepath.Ext(name) != ".mem" {
			continue
		}
		path := filepath.Join(left.dir, name)
		text := readFile(t, path)
		for _, acknowledged := range []bool{true, false} {
			if !acknowledged { // then what follows must tell
				if err := os.Remove(filepath.Join(left.dir, acknowledgedFile)); err != nil {
					t.Fatal(err)
				}
			}
			end := len(text) - zerosBehind
			if !acknowledged {
				end /= 2
			}
			for at := logHeaderSize; at < end; at += 97 {
				zeroed := bytes.Clone(text)
				clear(zeroed[at:min(at+300, end)])
				writeFile(t, path, zeroed)
				if !left.damaged(t, fmt.Sprintf("zeros from byte %d", at)) {
					t.Errorf("zeros from byte %d are not found, with %s %v", at, acknowledgedFile, acknowledged)
				}
			}
		}
	}
}

// TestDamagedFileOfBadgersIsFound damages the headers of files that Badger reads and in
// which nothing of ours is. Nothing is changed then, and without the file all is there.
func TestDamagedFileOfBadgersIsFound(t *testing.T) {
	headerOfZeros := make([]byte, logHeaderSize)
	for _, test := range []struct {
		file    string
		text    func(whole []byte) []byte
		refused bool
	}{
		{"000001.vlog", func(whole []byte) []byte { return append([]byte("damage"), whole[6:]...) }, true},
		{"000001.vlog", func(whole []byte) []byte { whole[7] = 1; return whole }, true},
		{"000001.vlog", func(whole []byte) []byte { whole[8] ^= 1; return whole }, false}, // which says nothing
		{"000001.vlog", func([]byte) []byte { return headerOfZeros }, false},
		{"000001.vlog", func([]byte) []byte { return headerOfZeros[:logHeaderSize-1] }, false},
		{"000001.vlog", func([]byte) []byte { return []byte("cut off") }, false},
		{"000001.vlog", func([]byte) []byte { return []byte("cut off behind") }, false},
		{"KEYREGISTRY", func(whole []byte) []byte { return append([]byte("0123456789abcdefdamage"), whole[22:]...) }, true},
		{"KEYREGISTRY", func(whole []byte) []byte { return whole[:len(whole)-1] }, true},
		{"KEYREGISTRY", func(whole []byte) []byte { return append(whole, 0) }, true},
		{"KEYREGISTRY", func([]byte) []byte { return nil }, true},
	} {
		dir := t.TempDir()
		options := Options{Dir: dir, Retention: time.Hour, Clock: time.Now, Logger: zaptest.NewLogger(t)}
		s := newStore(t, dir)
		fill(t, s)
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
		path := filepath.Join(dir, test.file)
		text := test.text(readFile(t, path))
		writeFile(t, path, text)
		before := tree(t, dir)
		s, err := Open(options)
		if test.refused {
			wantError(t, err, authz.FailedPrecondition, path+" is damaged: ")
			if err != nil && !strings.Contains(err.Error(), "restore the store from a backup, or remove the file") {
				t.Errorf("%q in %s: error %v", text, test.file, err)
			}
			if after := tree(t, dir); !slices.Equal(after, before) {
				t.Errorf("%q in %s: before there is %q, and after %q", text, test.file, before, after)
			}
			if err := os.Remove(path); err != nil {
				t.Fatal(err)
			}
			s, err = Open(options)
		}
		if err != nil {
			t.Errorf("%q in %s: %v", text, test.file, err)
			continue
		}
		if _, latest := s.Revisions(); latest == 0 {
			t.Errorf("%q in %s: nothing is there", text, test.file)
		}
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	}
}
