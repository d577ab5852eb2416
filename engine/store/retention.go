package store

import (
	"encoding/binary"
	"time"

	"go.uber.org/zap"
)

// maxExpired is at how many deleted keys a commit stops taking revisions out of
// the window. It is more than those of one revision, so that history shrinks
// while it is written to.
const maxExpired = 256

// An expiring is the oldest revision that has not left a window yet. Zero where
// there is none.
type expiring struct {
	revision uint64
	time     time.Time
}

// An expiry is what a commit does for history.
type expiry struct {
	floor     uint64   // the oldest revision that can be read afterwards
	next      expiring // above it
	audited   uint64   // the latest revision whose change record is gone afterwards
	nextAudit expiring // above it
	entries   []entry
}

// expire works out which revisions have left their windows. Of those that leave
// the retention, the last becomes the floor: nobody can ask for what was before
// it. Those that leave the audit, or are beyond its bound, lose their change records.
func (s *Store) expire(read source, now time.Time) (expiry, error) {
	e := expiry{floor: s.floor.Load(), next: s.expiring, audited: s.audited, nextAudit: s.unaudit}
	s.ageing.note(now, s.published.Load().revision, s.options.Retention)
	if err := s.expireRevisions(read, s.ageing.left(now, s.options.Retention), &e); err != nil {
		return e, err
	}
	excess, past := min(s.excess(), e.floor), s.ageing.left(now, max(s.options.Audit, s.options.Retention))
	if next := e.nextAudit; next.revision > 0 && next.revision <= excess && !past(next.revision, next.time) && !s.records.told {
		s.records.told = true
		s.options.Logger.Warn("change records go sooner than the audit asks for, since they are too many", zap.Time("of", next.time), zap.Int64("bound", s.options.AuditBytes))
	}
	left := func(revision uint64, time time.Time) bool { return revision <= excess || past(revision, time) }
	return e, s.expireRecords(read, left, &e)
}

func (s *Store) expireRevisions(read source, left hasLeft, e *expiry) error {
	if e.next.revision == 0 || !left(e.next.revision, e.next.time) {
		return nil
	}
	floor, expired := e.floor, 0
	err := eachCommit(read, floor+1, func(revision uint64, c commitRecord) bool {
		e.next = expiring{revision, c.time}
		if !left(revision, c.time) || expired >= maxExpired {
			return false
		}
		expired++
		e.floor, e.next = revision, expiring{}
		return true
	})
	if e.floor != floor {
		e.entries = append(e.entries, entry{systemKey(systemFloor), appendNumber(e.floor)})
	}
	return err
}

// expireRecords leaves the note of the last revision that it takes, so that there
// always is one of the latest.
func (s *Store) expireRecords(read source, left hasLeft, e *expiry) error {
	if e.nextAudit.revision == 0 || !left(e.nextAudit.revision, e.nextAudit.time) {
		return nil
	}
	audited, deleted := e.audited, len(e.entries)
	err := eachCommit(read, audited+1, func(revision uint64, c commitRecord) bool {
		e.nextAudit = expiring{revision, c.time}
		if !left(revision, c.time) || revision > e.floor || len(e.entries)-deleted >= maxExpired {
			return false
		}
		if e.audited > 0 {
			e.entries = append(e.entries, entry{key: commitKey(e.audited)})
		}
		for _, tenant := range c.tenants {
			for chunk := range tenant.chunks {
				e.entries = append(e.entries, entry{key: changeKey(tenant.name, revision, uint32(chunk))})
			}
		}
		e.audited, e.nextAudit = revision, expiring{}
		return true
	})
	if e.audited != audited {
		e.entries = append(e.entries, entry{systemKey(systemAudit), appendNumber(e.audited)})
	}
	return err
}

// nextToExpire finds the oldest revision above a floor.
func nextToExpire(read source, floor uint64) (expiring, error) {
	var next expiring
	err := eachCommit(read, floor+1, func(revision uint64, c commitRecord) bool {
		next = expiring{revision, c.time}
		return false
	})
	return next, err
}

// eachCommit visits the store's notes of commits from a revision on, until
// visit returns false.
func eachCommit(read source, from uint64, visit func(uint64, commitRecord) bool) error {
	return scan(read, systemKey(systemCommit), commitKey(from), true, func(key, value []byte) (bool, error) {
		if len(key) != 8 {
			return false, errShort
		}
		c, err := decodeCommitRecord(value)
		return err == nil && visit(binary.BigEndian.Uint64(key), c), err
	})
}

// readCommit reads the store's note of one commit; the zero value where there
// is none.
func readCommit(read source, revision uint64) (commitRecord, error) {
	var c commitRecord
	_, err := readValue(read, commitKey(revision), func(value []byte) (err error) {
		c, err = decodeCommitRecord(value)
		return err
	})
	return c, err
}

// Floor is the oldest revision that could be read at the view's: the view has
// all change records of the revisions after it. Store.Revisions may be of
// another moment.
func (v *View) Floor() (uint64, error) { return readNumber(v.txn(), systemKey(systemFloor)) }
