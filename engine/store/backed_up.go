package store

import (
	"encoding/binary"
	"errors"
	"hash/crc32"
	"io/fs"
	"math"
	"os"
	"path/filepath"
	"time"

	"go.uber.org/zap"
)

// backedUpFile holds which backup of the store was made last. It is lost without harm.
const backedUpFile = "BACKED_UP"

// backedUpSize is that of a revision, a time and their checksum.
const backedUpSize = 8 + 8 + crc32.Size

// A BackedUp is a backup that was made.
type BackedUp struct {
	// Revision is up to which it goes.
	Revision uint64
	// At is when it was made; the zero time where there was none.
	At time.Time
}

// BackedUp is the last backup that was made of the store, as far as the store knows
// of it: a backup has come to its end where it was written to, and what became of it
// there is not known.
func (s *Store) BackedUp() BackedUp {
	if last := s.backedUp.Load(); last != nil {
		return *last
	}
	return BackedUp{}
}

// openBackedUp reads which backup was made last. Where that cannot be read, there was
// none.
func (s *Store) openBackedUp() {
	if s.disk.dir == "" {
		return
	}
	path := filepath.Join(s.disk.dir, backedUpFile)
	text, err := os.ReadFile(path)
	if err == nil && (len(text) != backedUpSize || crc32.Checksum(text[:16], castagnoli) != binary.BigEndian.Uint32(text[16:])) {
		err = errSeal
	}
	if err != nil {
		if !errors.Is(err, fs.ErrNotExist) {
			s.options.Logger.Warn("which backup was made last cannot be read", zap.String("file", path), zap.Error(err))
		}
		return
	}
	nanoseconds := binary.BigEndian.Uint64(text[8:])
	s.backedUp.Store(&BackedUp{binary.BigEndian.Uint64(text), time.Unix(0, int64(min(nanoseconds, math.MaxInt64))).UTC()})
}

// noteBackedUp notes that a backup was made.
func (s *Store) noteBackedUp(last BackedUp) {
	s.backedUp.Store(&last)
	if s.disk.dir == "" {
		return
	}
	text := binary.BigEndian.AppendUint64(make([]byte, 0, backedUpSize), last.Revision)
	text = binary.BigEndian.AppendUint64(text, uint64(last.At.UnixNano()))
	text = binary.BigEndian.AppendUint32(text, crc32.Checksum(text, castagnoli))
	path := filepath.Join(s.disk.dir, backedUpFile)
	err := os.WriteFile(path+".new", text, 0o600)
	if err == nil {
		err = os.Rename(path+".new", path)
	}
	if err != nil {
		s.options.Logger.Warn("which backup was made last cannot be noted", zap.Error(err))
	}
}
