package pdp

import (
	"bufio"
	"crypto/rand"
	"sync"

	"github.com/google/uuid"
)

// newIDs makes the source of decisions' names: UUIDs of version 7 (RFC 9562),
// which sort by time, so that a log indexed by them stays local, and have 74
// random bits, so that nobody who has one finds another.
//
// The random bytes are drawn from the system a few hundred at a time:
// BenchmarkNewID.
func newIDs() func() string {
	readers := sync.Pool{New: func() any { return bufio.NewReaderSize(rand.Reader, 1024) }}
	return func() string {
		reader := readers.Get().(*bufio.Reader)
		defer readers.Put(reader)
		return uuid.Must(uuid.NewV7FromReader(reader)).String()
	}
}
