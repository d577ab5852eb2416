package directory_test

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"testing"
	"time"
	"unsafe"

	"github.com/verdictpdp/verdict/api/authz"
	"github.com/verdictpdp/verdict/engine/directory"
)

func TestSnapshotStaysAsItWas(t *testing.T) {
	d := newDirectory(t, directory.Options{})
	write(t, d, `{"entity":{"type":"user","id":"mina","attributes":{"n":1}}}`)
	before := latest(t, d)
	write(t, d, `{"delete":{"entity":"user:mina"}}`)
	if _, err := before.Record(user("mina")); err != nil {
		t.Errorf("the snapshot before the deletion: %v", err)
	}
	_, err := latest(t, d).Record(user("mina"))
	wantKind(t, err, authz.NotFound, `"user:mina"`)
}

func TestSnapshotAtLeast(t *testing.T) {
	d := newDirectory(t, directory.Options{})
	ctx, cancel := context.WithTimeout(t.Context(), time.Millisecond)
	defer cancel()
	_, err := d.Snapshot(ctx, tenant, authz.Consistency{AtLeast: 1})
	wantKind(t, err, authz.DeadlineExceeded, "waiting for revision 1, the directory is at 0")

	got := make(chan uint64)
	go func() {
		s, err := d.Snapshot(t.Context(), tenant, authz.Consistency{AtLeast: 2})
		if err != nil {
			t.Error(err)
			close(got)
			return
		}
		defer s.Close()
		got <- s.Revision()
	}()
	write(t, d, `{"entity":{"type":"user","id":"a"}}`)
	write(t, d, `{"entity":{"type":"user","id":"b"}}`)
	if revision := <-got; revision != 2 {
		t.Errorf("revision %d, expected 2", revision)
	}
	_, err = d.Snapshot(t.Context(), tenant, authz.Consistency{AtLeast: 1, Exact: 1})
	wantKind(t, err, authz.Invalid, "exclude")
}

func TestRetention(t *testing.T) {
	now := newClock()
	d := newDirectory(t, directory.Options{Retention: time.Hour, Clock: now.Now})
	put := func(n int) {
		write(t, d, fmt.Sprintf(`{"entity":{"type":"user","id":"mina","attributes":{"n":%d}}}`, n))
	}
	readable := func(revision uint64) error {
		s, err := d.Snapshot(t.Context(), tenant, authz.Consistency{Exact: revision})
		if err != nil {
			return err
		}
		defer s.Close()
		record, err := s.Record(user("mina"))
		if err == nil && string(record.Attributes) != fmt.Sprintf(`{"n":%d}`, revision) {
			err = fmt.Errorf("revision %d has %s", revision, record.Attributes)
		}
		return err
	}
	put(1)
	now.advance(30 * time.Minute)
	put(2)
	now.advance(30*time.Minute - time.Nanosecond)
	put(3) // the window begins a nanosecond before revision 1
	if oldest, latest := d.Revisions(); oldest != 0 || latest != 3 {
		t.Errorf("revisions %d to %d are kept, expected 0 to 3", oldest, latest)
	}
	now.advance(time.Nanosecond)
	put(4) // the window begins at revision 1
	if oldest, _ := d.Revisions(); oldest != 1 {
		t.Errorf("the oldest revision is %d, expected 1", oldest)
	}
	held := snapshot(t, d, authz.Consistency{Exact: 2})
	now.advance(time.Hour)
	put(5) // and here at revision 4
	for revision := range uint64(6) {
		switch err := readable(revision); {
		case revision == 0: // asks for the latest
		case revision < 4:
			wantKind(t, err, authz.FailedPrecondition, "keeps revisions 4 to 5")
		case err != nil:
			t.Error(err)
		}
	}
	wantKind(t, readable(6), authz.FailedPrecondition, "keeps revisions 4 to 5")
	if record, err := held.Record(user("mina")); err != nil || string(record.Attributes) != `{"n":2}` {
		t.Errorf("a snapshot that is held reads %s, %v", record.Attributes, err)
	}
	err := d.Watch(t.Context(), tenant, 3, func(directory.ChangeRecord) error { return errEnough })
	wantKind(t, err, authz.FailedPrecondition, "keeps revisions 4 to 5")
	mustBeSound(t, d)
}

func TestRetentionSurvivesReopening(t *testing.T) {
	now := newClock()
	o := directory.Options{Dir: t.TempDir(), Tenants: []string{tenant}, Retention: time.Hour, Clock: now.Now}
	d, err := directory.Open(o)
	if err != nil {
		t.Fatal(err)
	}
	for range 300 { // more than one commit takes out of the window
		write(t, d, fmt.Sprintf(`{"entity":{"type":"user","id":"mina","attributes":{"at":%q}}}`, now.Now()))
		now.advance(time.Second)
	}
	now.advance(2 * time.Hour)
	for range 5 {
		write(t, d, fmt.Sprintf(`{"entity":{"type":"user","id":"mina","attributes":{"at":%q}}}`, now.Now()))
		now.advance(time.Second)
	}
	oldest, last := d.Revisions()
	if oldest != 300 || last != 305 {
		t.Errorf("revisions %d to %d are kept, expected 300 to 305", oldest, last)
	}
	if err := d.Close(); err != nil {
		t.Fatal(err)
	}
	d = newDirectory(t, o)
	if o, l := d.Revisions(); o != oldest || l != last {
		t.Errorf("after reopening revisions %d to %d are kept, expected %d to %d", o, l, oldest, last)
	}
	mustBeSound(t, d)
}

func TestEpoch(t *testing.T) {
	d := newDirectory(t, directory.Options{})
	tests := []struct {
		name  string
		line  string
		moves bool
	}{
		{"the first change of a tenant", `{"entity":{"type":"user","id":"mina","parents":["group:night"]}}`, true},
		{"a leaf's attributes", `{"entity":{"type":"user","id":"mina","attributes":{"n":1},"parents":["group:night"]}}`, false},
		{"a leaf's parents", `{"entity":{"type":"user","id":"mina","parents":["group:day","group:night"]}}`, false},
		{"a leaf's grant", `{"grant":{"id":"g","subject":"user:mina","role":"role:r"}}`, false},
		{"a parent that comes to be", `{"entity":{"type":"group","id":"night"}}`, true},
		{"a parent's attributes", `{"entity":{"type":"group","id":"night","attributes":{"n":1}}}`, true},
		{"a parent's parents", `{"entity":{"type":"group","id":"night","parents":["group:all"]}}`, true},
		{"a parent's grant", `{"grant":{"id":"h","subject":"group:night","role":"role:r"}}`, true},
		{"a grant to what is yet no parent", `{"grant":{"id":"i","subject":"group:new","role":"role:r"}}`, false},
		{"a grant that goes from a parent", `{"delete":{"grant":"h"}}`, true},
		{"a grant to the root", `{"grant":{"id":"j","subject":"tenant:workforce","role":"role:r"}}`, true},
		{"a new leaf", `{"entity":{"type":"user","id":"olga","parents":["group:night"]}}`, false},
		{"a parent that goes", `{"delete":{"entity":"group:night"}}`, true},
		{"a leaf that goes", `{"delete":{"entity":"user:olga"}}`, false},
	}
	for _, test := range tests {
		before := latest(t, d).Epoch()
		revision := write(t, d, test.line)
		want := before
		if test.moves {
			want = revision
		}
		if epoch := latest(t, d).Epoch(); epoch != want {
			t.Errorf("%s: epoch %d after revision %d, expected %d", test.name, epoch, revision, want)
		}
	}
	_, last := d.Revisions()
	if epoch := snapshot(t, d, authz.Consistency{Exact: last - 1}).Epoch(); epoch != last-1 {
		t.Errorf("epoch %d at revision %d, expected the same", epoch, last-1)
	}
	if epoch := snapshot(t, d, authz.Consistency{Exact: last - 2}).Epoch(); epoch != 0 {
		t.Errorf("epoch %d before the last change above a leaf, expected 0", epoch)
	}
}

// lockVariable makes the test binary open the directory it names.
const lockVariable = "VERDICT_TEST_LOCK"

func TestSecondProcess(t *testing.T) {
	if dir := os.Getenv(lockVariable); dir != "" {
		_, err := directory.Open(directory.Options{Dir: dir, Tenants: []string{tenant}})
		fmt.Printf("%s: %v\n", authz.KindOf(err), err)
		return
	}
	dir := t.TempDir()
	newDirectory(t, directory.Options{Dir: dir})
	second := exec.Command(os.Args[0], "-test.run", "^TestSecondProcess$")
	second.Env = append(os.Environ(), lockVariable+"="+dir)
	out, err := second.CombinedOutput()
	want := fmt.Sprintf("unavailable: the store in %s is in use by another process (process %d)", dir, os.Getpid())
	if err != nil || len(out) < len(want) || string(out[:len(want)]) != want {
		t.Errorf("%v: %s\nexpected %s", err, out, want)
	}
	// The same holds within one process.
	_, err = directory.Open(directory.Options{Dir: dir, Tenants: []string{tenant}})
	wantKind(t, err, authz.Unavailable, "in use")
}

func TestOpenIsRefused(t *testing.T) {
	_, err := directory.Open(directory.Options{})
	wantKind(t, err, authz.Invalid, "no tenants")
	_, err = directory.Open(directory.Options{Tenants: []string{"No"}})
	wantKind(t, err, authz.Invalid, `"No"`)
	_, err = directory.Open(directory.Options{Tenants: []string{tenant}, Retention: -1})
	wantKind(t, err, authz.Invalid, "negative")
}

func TestClosedDirectory(t *testing.T) {
	d, err := directory.Open(directory.Options{Tenants: []string{tenant}})
	if err != nil {
		t.Fatal(err)
	}
	watching := make(chan error)
	go func() {
		watching <- d.Watch(context.Background(), tenant, 0, func(directory.ChangeRecord) error { return nil })
	}()
	if err := d.Close(); err != nil {
		t.Fatal(err)
	}
	wantKind(t, <-watching, authz.Unavailable, "closed")
	_, err = d.Snapshot(t.Context(), tenant, authz.Consistency{})
	wantKind(t, err, authz.Unavailable, "closed")
	_, err = tryWrite(t, d, `{"entity":{"type":"user","id":"mina"}}`)
	wantKind(t, err, authz.Unavailable, "closed")
	if err := d.Close(); err != nil {
		t.Errorf("closing again: %v", err)
	}
}

// What is kept of a snapshot keeps its tenant's name, and a caller's may be a part of
// a whole request.
func TestSnapshotHasANameOfItsOwn(t *testing.T) {
	d := newDirectory(t, directory.Options{})
	request := "a large request of the tenant " + tenant
	named := request[len(request)-len(tenant):]
	s, err := d.Snapshot(t.Context(), named, authz.Consistency{})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	if got := s.Tenant(); got != tenant || unsafe.StringData(got) == unsafe.StringData(named) {
		t.Errorf("the snapshot's tenant is %q, as a part of the request: %v", got, got == tenant)
	}
}
