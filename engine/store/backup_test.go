package store

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"
	"time"

	"github.com/dgraph-io/badger/v4"
	"github.com/google/go-cmp/cmp"
	"go.uber.org/zap/zaptest"

	"github.com/verdictpdp/verdict/api/authz"
	"github.com/verdictpdp/verdict/engine/store/backup"
)

// A clocked store is one whose revisions leave the retention window, which is a
// minute, when the test says so.
func newClockedStore(t *testing.T, dir string) (s *Store, advance func(time.Duration)) {
	t.Helper()
	now := time.Unix(1e9, 0)
	s, err := Open(Options{Dir: dir, Retention: time.Minute, Clock: func() time.Time { return now }, Logger: zaptest.NewLogger(t)})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return s, func(d time.Duration) { now = now.Add(d) }
}

// rewrite puts an entity of some size anew, as one revision.
func rewrite(t *testing.T, s *Store, name string, ref authz.EntityRef, size int) {
	t.Helper()
	_, latest := s.Revisions()
	text := fmt.Sprintf(`{"n":%d,"text":%q}`, latest, strings.Repeat("x", size))
	if _, err := s.Update(t.Context(), name, func(tx *Tx) error {
		_, err := tx.PutEntity(authz.Entity{Ref: ref, Attributes: []byte(text)})
		return err
	}); err != nil {
		t.Fatal(err)
	}
}

func remove(t *testing.T, s *Store, ref authz.EntityRef) {
	t.Helper()
	if _, err := s.Update(t.Context(), tenant, func(tx *Tx) error { _, err := tx.DeleteEntity(ref); return err }); err != nil {
		t.Fatal(err)
	}
}

// contentAt is all that a store shows at a revision, the store's own keys
// included.
func contentAt(t *testing.T, s *Store, revision uint64) map[string]string {
	t.Helper()
	txn := s.db.NewTransactionAt(revision, false)
	defer txn.Discard()
	it := txn.NewIterator(badger.IteratorOptions{})
	defer it.Close()
	content := make(map[string]string)
	for it.Rewind(); it.Valid(); it.Next() {
		value, err := it.Item().ValueCopy(nil)
		if err != nil {
			t.Fatal(err)
		}
		content[string(it.Item().Key())] = fmt.Sprintf("%d %s", it.Item().Version(), value)
	}
	return content
}

// history is the content of a store at each revision that is kept.
func history(t *testing.T, s *Store) map[uint64]map[string]string {
	t.Helper()
	oldest, latest := s.Revisions()
	revisions := make(map[uint64]map[string]string)
	for revision := oldest; revision <= latest; revision++ {
		revisions[revision] = contentAt(t, s, revision)
	}
	return revisions
}

// backUp backs a store up, after a backup if one is given.
func backUp(t *testing.T, s *Store, after []byte) []byte {
	t.Helper()
	var o BackupOptions
	if after != nil {
		h := readerOf(t, after).Header()
		o = BackupOptions{After: h.To, Base: h.Tip}
	}
	var b bytes.Buffer
	if _, err := s.Backup(t.Context(), o, &b); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func readerOf(t *testing.T, b []byte) *backup.Reader {
	t.Helper()
	r, err := backup.NewReader(bytes.NewReader(b))
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// restore restores backups into a directory.
func restore(t *testing.T, dir string, backups ...[]byte) error {
	t.Helper()
	var readers []*backup.Reader
	for _, b := range backups {
		readers = append(readers, readerOf(t, b))
	}
	_, err := Restore(t.Context(), RestoreOptions{Dir: dir, Logger: zaptest.NewLogger(t)}, readers)
	return err
}

// wantHistory expects a store in a directory that shows what another did.
func wantHistory(t *testing.T, dir string, want map[uint64]map[string]string) {
	t.Helper()
	s := newStore(t, dir)
	if diff := cmp.Diff(want, history(t, s)); diff != "" {
		t.Error(diff)
	}
	if err := s.Close(); err != nil {
		t.Error(err)
	}
}

func TestRestoredStoreShowsTheSame(t *testing.T) {
	s, advance := newClockedStore(t, "")
	var backups [][]byte
	var histories []map[uint64]map[string]string
	chain := func(after []byte) {
		backups = append(backups, backUp(t, s, after))
		histories = append(histories, history(t, s))
	}
	chain(nil) // of a store without revisions, after which a full one follows
	for i := range 60 {
		// More versions of one key than a frame takes, a few of others, two tenants.
		rewrite(t, s, tenant, mina, 20_000)
		if i%7 == 0 {
			rewrite(t, s, "customers", night, 10)
		}
		if i%10 == 5 {
			remove(t, s, mina)
		}
		if i == 10 {
			advance(time.Hour)
		}
		advance(2 * time.Second)
		if i%20 == 19 {
			chain(backups[len(backups)-1])
		}
	}
	chain(nil)
	chain(backups[len(backups)-1]) // with nothing written in between
	tests := []struct {
		name string
		of   []int
	}{
		{"nothing", []int{0}}, {"a full one", []int{1}}, {"one after it", []int{1, 2}},
		{"two after it, in any order", []int{3, 1, 2}},
		{"a full one at the end", []int{4}}, {"and nothing after it", []int{4, 5}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			dir := t.TempDir()
			last := 0
			var of [][]byte
			for _, i := range test.of {
				of = append(of, backups[i])
				last = max(last, i)
			}
			if err := restore(t, dir, of...); err != nil {
				t.Fatal(err)
			}
			wantHistory(t, dir, histories[last])
		})
	}
	t.Run("one by one", func(t *testing.T) {
		dir := t.TempDir()
		for i, b := range backups[:4] {
			if err := restore(t, dir, b); err != nil {
				t.Fatal(err)
			}
			wantHistory(t, dir, histories[i])
		}
	})
	if h := readerOf(t, backups[4]).Header(); !cmp.Equal(h.Tenants, []string{"customers", tenant}) || h.Floor == 0 {
		t.Errorf("the header is %+v", h)
	}
}

// A pausing writer calls at before the first bytes behind the header.
type pausing struct {
	bytes.Buffer
	writes int
	at     func()
}

func (p *pausing) Write(b []byte) (int, error) {
	if p.writes++; p.writes == 4 { // after the magic, and the header with its checksum
		p.at()
	}
	return p.Buffer.Write(b)
}

// TestBackupIsOfOneMoment writes while a backup is made, until nothing that it
// holds is in the retention window any more.
func TestBackupIsOfOneMoment(t *testing.T) {
	s, advance := newClockedStore(t, t.TempDir())
	for range 40 {
		rewrite(t, s, tenant, mina, 20_000)
		rewrite(t, s, tenant, night, 20_000)
		advance(time.Second)
	}
	want := history(t, s)
	oldest, latest := s.Revisions()
	out := &pausing{at: func() {
		advance(time.Hour)
		remove(t, s, mina)
		rewrite(t, s, tenant, nurse, 10)
		advance(time.Hour)
		rewrite(t, s, "customers", nurse, 10)
		if floor, _ := s.Revisions(); floor <= latest {
			t.Fatalf("the floor is %d: expected one above %d, or the test shows nothing", floor, latest)
		}
		s.pinsMu.Lock()
		defer s.pinsMu.Unlock()
		if discard := s.discardable(); discard != oldest {
			t.Errorf("what is below revision %d may be discarded during the backup, expected %d", discard, oldest)
		}
	}}
	if _, err := s.Backup(t.Context(), BackupOptions{}, out); err != nil {
		t.Fatal(err)
	}
	if out.writes < 8 {
		t.Fatalf("the backup came in %d writes: too few for the test to show anything", out.writes)
	}
	rewrite(t, s, tenant, nurse, 20)
	s.pinsMu.Lock()
	if discard, floor := s.discardable(), s.floor.Load(); discard != floor {
		t.Errorf("what is below revision %d may be discarded after the backup, expected %d", discard, floor)
	}
	s.pinsMu.Unlock()
	dir := t.TempDir()
	if err := restore(t, dir, out.Bytes()); err != nil {
		t.Fatal(err)
	}
	wantHistory(t, dir, want)
}

func TestBackupsThatAreNotMade(t *testing.T) {
	s, advance := newClockedStore(t, "")
	rewrite(t, s, tenant, mina, 10)
	tips := []string{""}
	for range 3 {
		rewrite(t, s, tenant, mina, 10)
		advance(time.Hour)
		tips = append(tips, readerOf(t, backUp(t, s, nil)).Header().Tip)
	}
	oldest, latest := s.Revisions()
	if oldest != 3 || latest != 4 {
		t.Fatalf("revisions %d to %d are kept", oldest, latest)
	}
	canceled, cancel := context.WithCancel(t.Context())
	cancel()
	broken := errors.New("broken")
	tests := []struct {
		name    string
		options BackupOptions
		ctx     context.Context
		w       io.Writer
		kind    authz.Kind
		want    string
	}{
		{"after a revision that is to come", BackupOptions{After: 5}, nil, nil, authz.FailedPrecondition, "the directory is at revision 4: make a full one"},
		{"after a revision that is not kept", BackupOptions{After: 2}, nil, nil, authz.FailedPrecondition, "the directory keeps revisions 3 to 4: make a full one"},
		{"after another revision", BackupOptions{After: 3, Base: tips[3]}, nil, nil, authz.FailedPrecondition, "it is another than this directory's: make a full one"},
		{"without an end of the pipe", BackupOptions{}, nil, failing{broken}, authz.Internal, "writing the backup: broken"},
		{"that is cancelled", BackupOptions{}, canceled, nil, authz.Internal, "context canceled"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			ctx, w := test.ctx, test.w
			if ctx == nil {
				ctx = t.Context()
			}
			if w == nil {
				w = io.Discard
			}
			_, err := s.Backup(ctx, test.options, w)
			if err == nil || authz.KindOf(err) != test.kind && !errors.Is(err, context.Canceled) || !strings.Contains(err.Error(), test.want) {
				t.Errorf("error %v of kind %s, expected kind %s and %q", err, authz.KindOf(err), test.kind, test.want)
			}
		})
	}
	if _, err := s.Backup(t.Context(), BackupOptions{After: 3, Base: tips[2]}, io.Discard); err != nil {
		t.Errorf("after the oldest that is kept: %v", err)
	}
	if views := s.openViews(); views != 0 {
		t.Errorf("%d views are open afterwards", views)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	_, err := s.Backup(t.Context(), BackupOptions{}, io.Discard)
	wantError(t, err, authz.Unavailable, "closed")
}

type failing struct{ err error }

func (f failing) Write([]byte) (int, error) { return 0, f.err }

// TestBackupEndsWithTheRetention has someone take a backup for longer than past
// revisions are kept, and would keep them without end.
func TestBackupEndsWithTheRetention(t *testing.T) {
	s, err := Open(Options{Retention: 20 * time.Millisecond, Clock: time.Now, Logger: zaptest.NewLogger(t)})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	for range 100 {
		rewrite(t, s, tenant, mina, 30_000)
	}
	slow := &slowWriter{}
	_, err = s.Backup(t.Context(), BackupOptions{}, slow)
	wantError(t, err, authz.FailedPrecondition, "has taken longer than past revisions are kept, which is 20ms")
	_, _, err = readAll(slow.Bytes())
	wantError(t, err, authz.Invalid, "it was cut off")
}

// A slowWriter takes longer for each of many writes than the test's retention.
type slowWriter struct{ bytes.Buffer }

func (w *slowWriter) Write(b []byte) (int, error) {
	time.Sleep(30 * time.Millisecond)
	return w.Buffer.Write(b)
}

// readAll reads a backup to its end.
func readAll(b []byte) (backup.Header, backup.Trailer, error) {
	r, err := backup.NewReader(bytes.NewReader(b))
	for err == nil {
		_, err = r.Next()
	}
	if err != io.EOF {
		return backup.Header{}, backup.Trailer{}, err
	}
	return r.Header(), r.Trailer(), nil
}

// TestBackupEndsWithTheStore closes a store while a backup waits to be taken.
func TestBackupEndsWithTheStore(t *testing.T) {
	s := newStore(t, t.TempDir())
	fill(t, s)
	closed := make(chan error, 1)
	out := &pausing{at: func() {
		go func() { closed <- s.Close() }()
		<-s.closing
	}}
	_, err := s.Backup(t.Context(), BackupOptions{}, out)
	wantError(t, err, authz.Unavailable, "closed")
	if err := <-closed; err != nil {
		t.Error(err)
	}
}
