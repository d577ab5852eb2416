package store

import (
	"errors"
	"slices"
	"time"

	"go.uber.org/zap"
)

// Change records are kept for longer than all else that is past, so they are bounded in
// bytes as well: what is more goes from the oldest on, but for the revisions that can be
// read, which need theirs. The store keeps no account of the bytes on disk. Those of what
// was there when it was opened are summed up then, from the latest on and no further than
// the bound, while others read and write.

// A ChangeRecords is what the store keeps of who changed what.
type ChangeRecords struct {
	// Bytes is about what the records take, and MaxBytes beyond what the oldest go sooner
	// than Options.Audit says. Bytes is negative until those that were there when the store
	// was opened are counted, and where there is no bound: MaxBytes is 0 then.
	Bytes, MaxBytes int64
	// Oldest is when the oldest was made; the zero time where there is none.
	Oldest time.Time
}

// ChangeRecords are those of the store.
func (s *Store) ChangeRecords() ChangeRecords { return *s.told.Load() }

// tellRecords has others know of the change records. It is the writer's.
func (s *Store) tellRecords() {
	now := ChangeRecords{Bytes: -1, MaxBytes: s.options.AuditBytes, Oldest: s.unaudit.time}
	if s.options.AuditBytes > 0 && s.records.whole {
		now.Bytes = s.records.bytes
	}
	s.told.Store(&now)
}

// recordParts is into how many parts the bound is divided by what is remembered of the
// sizes.
const recordParts = 64

// recordSizes are how many bytes the change records take, as far as it is known. They
// belong to the writer.
type recordSizes struct {
	bytes int64
	parts []recordPart // oldest first
	told  bool         // that the bound takes records
	whole bool         // whether those that were there at the opening are among them
}

// A recordPart is the records up to a revision.
type recordPart struct {
	last  uint64
	bytes int64
}

// add adds a revision beside the last part, which takes no more than most.
func (r *recordSizes) add(revision uint64, bytes, most int64) {
	if bytes == 0 {
		return
	}
	r.bytes += bytes
	if n := len(r.parts); n > 0 && r.parts[n-1].bytes+bytes <= most {
		r.parts[n-1].last = max(r.parts[n-1].last, revision)
		r.parts[n-1].bytes += bytes
		return
	}
	r.parts = append(r.parts, recordPart{revision, bytes})
}

// precede adds what is older.
func (r *recordSizes) precede(older recordSizes) {
	r.bytes += older.bytes
	r.parts = slices.Concat(older.parts, r.parts)
}

// drop forgets the parts whose records are gone.
func (r *recordSizes) drop(audited uint64) {
	for len(r.parts) > 0 && r.parts[0].last <= audited {
		r.bytes -= r.parts[0].bytes
		r.parts = r.parts[1:]
	}
}

// excess is the latest revision whose record, and all before it, is beyond the bound; 0
// where none is.
func (r *recordSizes) excess(bound int64) uint64 {
	var last uint64
	left := r.bytes
	for _, part := range r.parts {
		if left <= bound {
			break
		}
		last, left = part.last, left-part.bytes
	}
	return last
}

// excess is recordSizes.excess of what is known now; 0 where there is no bound. It is the
// writer's.
func (s *Store) excess() uint64 {
	if s.options.AuditBytes == 0 {
		return 0
	}
	if older := s.summed.Swap(nil); older != nil {
		s.records.precede(*older)
		s.records.whole = true
	}
	s.records.drop(s.audited)
	return s.records.excess(s.options.AuditBytes)
}

// sumRecords sums up the change records from the latest revision back to the oldest, or
// until they are more than the bound: then all before are beyond it.
func (s *Store) sumRecords(oldest, latest uint64) {
	ctx, cancel := s.untilClosing()
	defer cancel()
	work := s.options.Pace.Begin()
	var sum recordSizes
	for revision := latest; revision >= oldest && sum.bytes <= s.options.AuditBytes; revision-- {
		if work.Rest(ctx) != nil {
			return
		}
		bytes, err := s.recordBytes(revision)
		if err != nil {
			if !errors.Is(err, errClosed) {
				s.options.Logger.Warn("the change records cannot be counted: none of before is taken for being too much until the store is opened again", zap.Error(err))
			}
			return
		}
		sum.add(revision, bytes, s.options.AuditBytes/recordParts)
	}
	slices.Reverse(sum.parts)
	s.summed.Store(&sum)
}

// recordBytes is what the change records of a revision take; 0 where they are gone.
func (s *Store) recordBytes(revision uint64) (int64, error) {
	view, err := s.Latest("")
	if err != nil {
		return 0, err
	}
	defer view.Close()
	c, err := readCommit(view.txn(), revision)
	if err != nil {
		return 0, err
	}
	var bytes int64
	for _, tenant := range c.tenants {
		for chunk := range tenant.chunks {
			key := changeKey(tenant.name, revision, uint32(chunk))
			if _, err := readValue(view.txn(), key, func(value []byte) error {
				bytes += sizeOnDisk(entry{key, value})
				return nil
			}); err != nil {
				return 0, err
			}
		}
	}
	return bytes, nil
}

// sizeOnDisk is about what an entry of a change record takes, with its part of the note
// of the commit.
func sizeOnDisk(e entry) int64 { return int64(len(e.key) + e.size()) }
