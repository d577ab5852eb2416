package store

import (
	"testing"
	"time"

	"go.uber.org/zap/zaptest"
)

// TestRecordsAreBoundedInBytes has as many change records as the bound takes, and then
// one more, of a store that was opened with them.
func TestRecordsAreBoundedInBytes(t *testing.T) {
	const wrote = 10
	now := time.Unix(1e9, 0)
	options := Options{
		Dir: t.TempDir(), Retention: time.Minute, Audit: time.Hour, Logger: zaptest.NewLogger(t),
		Clock: func() time.Time { return now },
	}
	s, err := Open(options)
	if err != nil {
		t.Fatal(err)
	}
	for range wrote {
		rewrite(t, s, tenant, mina, 10)
	}
	one, err := s.recordBytes(wrote) // as all but the first, which is no larger
	if err != nil {
		t.Fatal(err)
	}
	reopen := func(bound int64) {
		t.Helper()
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
		options.AuditBytes = bound
		if s, err = Open(options); err != nil {
			t.Fatal(err)
		}
		eventually(t, "the sum of what is there", func() bool { return s.summed.Load() != nil })
	}
	if told := s.ChangeRecords(); told.Bytes >= 0 || told.MaxBytes != 0 || !told.Oldest.Equal(now) {
		t.Errorf("without a bound, the records are told as %+v", told)
	}
	// writes makes a write, and expects which is the oldest record afterwards.
	writes := func(oldest uint64) {
		t.Helper()
		rewrite(t, s, tenant, mina, 10)
		_, latest := s.Revisions()
		for revision := uint64(1); revision <= latest; revision++ {
			bytes, err := s.recordBytes(revision)
			if err != nil {
				t.Fatal(err)
			}
			if kept := bytes > 0; kept != (revision >= oldest) {
				t.Errorf("at revision %d the record of %d is kept: %t, expected those from %d on", latest, revision, kept, oldest)
			}
		}
		c, err := readCommit(s.at(latest), oldest)
		if err != nil {
			t.Fatal(err)
		}
		told := s.ChangeRecords()
		if kept := int64(latest-oldest+1) * one; told.Bytes < kept-one || told.Bytes > kept+one || !told.Oldest.Equal(c.time) {
			t.Errorf("at revision %d the records are told as %+v: expected about %d bytes from %s on", latest, told, kept, c.time)
		}
	}

	reopen(wrote * one)
	writes(1) // whose revisions can be read
	now = now.Add(2 * time.Minute)
	writes(2) // one more than the bound was there
	writes(3)
	reopen(5 * one)
	writes(9) // of 13 records, 5 and the one that is written
	writes(10)
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
}

// TestRecordsBeyondTheBoundGoWhileNobodyWrites has none but the last record be within the
// bound, and sees that there is an end of it.
func TestRecordsBeyondTheBoundGoWhileNobodyWrites(t *testing.T) {
	now := time.Unix(1e9, 0)
	s, err := Open(Options{Retention: time.Minute, Audit: time.Hour, AuditBytes: 1, Clock: func() time.Time { return now }, Logger: zaptest.NewLogger(t)})
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	}()
	const wrote = 3 * maxExpired
	for range wrote {
		rewrite(t, s, tenant, mina, 10)
	}
	w := &writer{store: s, size: s.options.sizing()}
	if s.due(s.options.Clock()) {
		t.Error("the records of revisions that can be read are due")
	}
	now = now.Add(2 * time.Minute)
	rounds := 0
	for ; rounds < 20 && s.due(s.options.Clock()); rounds++ {
		w.keepHouse()
		if w.current == nil {
			t.Fatal("what is due is not begun")
		}
		s.finish(w.current, <-w.current.landed)
		w.current = nil
	}
	if rounds == 0 || rounds == 20 {
		t.Errorf("%d commits were made, expected a few", rounds)
	}
	if s.audited < wrote || s.records.bytes != 0 {
		t.Errorf("the records up to revision %d of %d are gone, and %d bytes are counted", s.audited, wrote, s.records.bytes)
	}
}

// TestRecordSizes counts parts, forwards and in the order in which a store is summed up.
func TestRecordSizes(t *testing.T) {
	var sizes recordSizes
	for revision := uint64(1); revision <= 100; revision++ {
		sizes.add(revision, 10, 30)
	}
	sizes.add(101, 0, 30) // without records
	if len(sizes.parts) != 34 || sizes.bytes != 1000 {
		t.Fatalf("%d parts of %d bytes, expected 34 of 1000", len(sizes.parts), sizes.bytes)
	}
	for bound, last := range map[int64]uint64{1000: 0, 999: 3, 970: 3, 969: 6, 10: 99, 0: 100} {
		if got := sizes.excess(bound); got != last {
			t.Errorf("of 1000 bytes what is beyond %d is up to revision %d, expected %d", bound, got, last)
		}
	}
	sizes.drop(5) // the second part is not wholly gone
	if sizes.bytes != 970 || sizes.parts[0].last != 6 {
		t.Errorf("%d bytes from the part up to %d on, expected 970 and 6", sizes.bytes, sizes.parts[0].last)
	}
}
