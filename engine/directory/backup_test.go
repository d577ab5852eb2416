package directory_test

import (
	"bytes"
	"io"
	"os"

	"pgregory.net/rapid"

	"github.com/verdictpdp/verdict/api/authz"
	"github.com/verdictpdp/verdict/engine/directory"
)

// backUp goes on from the backup before, if there is one and it can, or begins
// again.
func (h *history) backUp(t *rapid.T) {
	oldest, _ := h.d.Revisions()
	var o directory.BackupOptions
	if len(h.chain) > 0 && rapid.Bool().Draw(t, "incremental") {
		before := readBackup(t, h.chain[len(h.chain)-1]).Header()
		o = directory.BackupOptions{After: before.To, Base: before.Tip}
	}
	var b bytes.Buffer
	report, err := h.d.Backup(t.Context(), o, &b)
	if o.After > 0 && o.After < oldest {
		if authz.KindOf(err) != authz.FailedPrecondition {
			t.Fatalf("a backup goes on from revision %d, and revisions from %d on are kept: %v", o.After, oldest, err)
		}
		return
	}
	if err != nil {
		t.Fatal(err)
	}
	if report.Bytes >= uint64(b.Len()) || report.To != uint64(len(h.times)-1) || report.From != o.After {
		t.Fatalf("a backup of %d bytes, after revision %d, to %d, reports %+v", b.Len(), o.After, len(h.times)-1, report)
	}
	if o.After == 0 {
		h.chain = nil
	}
	h.chain = append(h.chain, b.Bytes())
}

// restore goes on with what is restored of all backups, and looks at it first:
// a backup of it is a full one of the directory that was backed up.
func (h *history) restore(t *rapid.T) {
	if rapid.IntRange(0, 7).Draw(t, "restores at 7") < 7 { // it takes as long as many other steps
		return
	}
	h.backUp(t)
	var full bytes.Buffer
	if _, err := h.d.Backup(t.Context(), directory.BackupOptions{}, &full); err != nil {
		t.Fatal(err)
	}
	last := readBackup(t, h.chain[len(h.chain)-1]).Header()
	if want := readBackup(t, full.Bytes()).Header(); last.To != want.To {
		return // it could not go on from the one before
	}
	dir, err := os.MkdirTemp(h.scratch, "restored-*")
	if err != nil {
		t.Fatal(err)
	}
	// Some at once, and the others one by one.
	first := rapid.IntRange(1, len(h.chain)).Draw(t, "at once")
	for len(h.chain) > 0 {
		var readers []*directory.BackupReader
		for _, b := range h.chain[:first] {
			readers = append(readers, readBackup(t, b))
		}
		if _, err := directory.Restore(t.Context(), dir, readers, nil); err != nil {
			t.Fatal(err)
		}
		h.chain, first = h.chain[first:], 1
	}
	if err := h.d.Close(); err != nil {
		t.Fatal(err)
	}
	h.dir = dir
	h.open(t)
	var again bytes.Buffer
	if _, err := h.d.Backup(t.Context(), directory.BackupOptions{}, &again); err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(full.Bytes(), again.Bytes()) {
		t.Fatalf("a backup of what was restored differs: it has %d bytes, expected %d", again.Len(), full.Len())
	}
}

func readBackup(t *rapid.T, b []byte) *directory.BackupReader {
	r, err := directory.NewBackupReader(io.Reader(bytes.NewReader(b)))
	if err != nil {
		t.Fatal(err)
	}
	return r
}
