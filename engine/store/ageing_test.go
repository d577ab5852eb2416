package store

import (
	"testing"
	"time"

	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"
	"go.uber.org/zap/zaptest/observer"

	"github.com/verdictpdp/verdict/api/authz"
)

// A settableClock is a clock that can be set, beside the time that passes.
type settableClock struct {
	clock  time.Time
	passed time.Duration
}

func (c *settableClock) now() time.Time { return c.clock }

// pass has time pass, on the clock as well.
func (c *settableClock) pass(d time.Duration) {
	c.clock = c.clock.Add(d)
	c.passed += d
}

const tenYears = 10 * 365 * 24 * time.Hour

// A settableStore is a store with such a clock, and what it logs.
type settableStore struct {
	*Store
	*settableClock
	t   *testing.T
	dir string
	log *observer.ObservedLogs
	n   int
}

func newSettableStore(t *testing.T) *settableStore {
	s := &settableStore{settableClock: &settableClock{clock: time.Unix(1e9, 0)}, t: t, dir: t.TempDir()}
	s.open()
	t.Cleanup(func() { s.close() })
	return s
}

func (s *settableStore) open() {
	s.t.Helper()
	core, log := observer.New(zapcore.WarnLevel)
	var err error
	s.Store, err = Open(Options{Dir: s.dir, Retention: time.Hour, Audit: 30 * time.Hour, Clock: s.now, Logger: zap.New(core)})
	if err != nil {
		s.t.Fatal(err)
	}
	s.log = log
	opened := s.passed
	s.ageing.passed = func(time.Time) time.Duration { return s.passed - opened }
}

func (s *settableStore) close() {
	s.t.Helper()
	if err := s.Store.Close(); err != nil {
		s.t.Error(err)
	}
}

// commit commits a revision each minute.
func (s *settableStore) commit(count int) {
	s.t.Helper()
	for range count {
		s.pass(time.Minute)
		s.n++
		_, err := s.Update(s.t.Context(), tenant, func(tx *Tx) error {
			_, err := tx.PutEntity(authz.Entity{Ref: mina, Attributes: []byte{'"', byte('a' + s.n%26), '"'}})
			return err
		})
		if err != nil {
			s.t.Fatal(err)
		}
	}
}

// expect holds which revisions can be read, and how many changes are told of.
func (s *settableStore) expect(what string, oldest, latest uint64, changes int) {
	s.t.Helper()
	if o, l := s.Revisions(); o != oldest || l != latest {
		s.t.Errorf("%s: revisions %d to %d can be read, expected %d to %d", what, o, l, oldest, latest)
	}
	view, err := s.Latest(tenant)
	if err != nil {
		s.t.Fatal(err)
	}
	defer view.Close()
	told := 0
	var last time.Time
	_, err = view.EachChangeBack(Lookback{Before: latest + 1, Work: 1 << 30}, func(c ChangeRecord) bool {
		if told > 0 && c.Time.After(last) {
			s.t.Errorf("%s: revision %d is of %s, and a later one of %s", what, c.Revision, c.Time, last)
		}
		last = c.Time
		told++
		return true
	})
	if err != nil || told != changes {
		s.t.Errorf("%s: %d changes are told of, %v: expected %d", what, told, err, changes)
	}
}

// TestClockThatIsRight has revisions leave their windows in time.
func TestClockThatIsRight(t *testing.T) {
	s := newSettableStore(t)
	s.commit(100)
	s.expect("within the hour", 40, 100, 100)
	s.close()
	s.pass(2 * time.Hour)
	s.open()
	s.commit(1)
	s.expect("after two hours without a server", 100, 101, 101)
	s.pass(40 * time.Hour)
	s.commit(1)
	s.expect("after most of two days", 101, 102, 1)
	if s.log.Len() > 0 {
		t.Errorf("the log warns: %v", s.log.All())
	}
}

// TestClockThatIsSetAhead sets the clock ahead by ten years, and back.
func TestClockThatIsSetAhead(t *testing.T) {
	s := newSettableStore(t)
	s.commit(20)
	s.clock = s.clock.Add(tenYears)
	s.commit(20)
	s.expect("ten years ahead", 0, 40, 40)
	s.clock = s.clock.Add(-tenYears)
	s.commit(20)
	s.expect("back", 0, 60, 60)
	if warned := s.log.FilterMessageSnippet("the clock was set").Len(); warned != 2 {
		t.Errorf("the log tells of %d settings of the clock, expected 2", warned)
	}
	// What was written meanwhile has times that have not come yet, and is kept for as
	// long as all else, to within an eighth of an hour.
	for range 20 {
		s.pass(5 * time.Minute)
		s.commit(1)
	}
	if floor, latest := s.Revisions(); latest != 80 || floor < 62 || floor > 70 {
		t.Errorf("two hours later revisions %d to %d can be read, expected those of the last hour", floor, latest)
	}
}

// TestClockThatIsWrongAtTheStart opens a store with a clock that is ten years ahead.
func TestClockThatIsWrongAtTheStart(t *testing.T) {
	s := newSettableStore(t)
	s.commit(20)
	s.close()
	s.clock = s.clock.Add(tenYears)
	s.open()
	s.commit(1)
	s.expect("opened ten years ahead", 20, 21, 21)
	s.close()
	s.clock = s.clock.Add(-tenYears)
	s.open()
	s.commit(1)
	s.expect("opened again with the clock set right", 20, 22, 22)
}

// TestClockThatIsSetBack sets the clock back by a day: no revision is told to be older
// than the one before it, and none is kept for less.
func TestClockThatIsSetBack(t *testing.T) {
	s := newSettableStore(t)
	s.commit(20)
	s.clock = s.clock.Add(-24 * time.Hour)
	s.commit(20)
	s.expect("a day back", 0, 40, 40)
}

// TestTimesOfCommitsAreTheClocks holds that two of them are compared by the clock, and
// not by what the process has measured.
func TestTimesOfCommitsAreTheClocks(t *testing.T) {
	s := newStore(t, "")
	fill(t, s)
	if s.lastTime != s.lastTime.Round(0) {
		t.Errorf("the time of a commit has that of the process: %s", s.lastTime)
	}
}
