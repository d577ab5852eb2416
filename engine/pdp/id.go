package pdp

import (
	"crypto/rand"
	"encoding/binary"
	"sync"
	"sync/atomic"
	"time"

	"github.com/google/uuid"
)

// An idSource names decisions: UUIDs of version 7 (RFC 9562), each after the one
// before. They sort by time, so that a log indexed by them stays local, and have
// enough random bits that nobody who has one finds another.
//
// Asking the system for randomness would be most of what a name costs, so it is
// asked for many names at once: see BenchmarkNewID.
type idSource struct {
	last   atomic.Int64 // the tick of the last name
	blocks sync.Pool    // of *randomBlock
}

// A randomBlock is random bits that nobody has seen, from used on.
type randomBlock struct {
	bits [512]byte
	used int
}

// next is a name for a decision at a time, or at the next tick that has none: a
// tick is 256 ns.
func (s *idSource) next(now time.Time) string {
	const version, variant = 7 << 4, 2 << 6
	tick := s.tick(now)
	var id uuid.UUID
	binary.BigEndian.PutUint64(id[:8], uint64(tick)>>12<<16|uint64(tick)&0xfff)
	id[6] |= version
	s.randomize(id[8:])
	id[8] = id[8]&0x3f | variant
	return id.String()
}

// tick is the time in milliseconds, and in its last 12 bits the part of the
// millisecond (RFC 9562, section 6.2, method 3), moved on as far as it takes to
// come after the last.
func (s *idSource) tick(now time.Time) int64 {
	const milli = int64(time.Millisecond)
	nanos := now.UnixNano()
	for {
		last := s.last.Load()
		tick := max(nanos/milli<<12|nanos%milli>>8, last+1)
		if s.last.CompareAndSwap(last, tick) {
			return tick
		}
	}
}

func (s *idSource) randomize(bits []byte) {
	block, ok := s.blocks.Get().(*randomBlock)
	if !ok {
		block = &randomBlock{used: len(block.bits)}
	}
	if len(block.bits)-block.used < len(bits) {
		_, _ = rand.Read(block.bits[:]) // which never fails
		block.used = 0
	}
	block.used += copy(bits, block.bits[block.used:])
	s.blocks.Put(block)
}
