package store

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io/fs"
	"os"
	"path/filepath"

	"go.uber.org/zap"

	"github.com/verdictpdp/verdict/api/authz"
)

// acknowledgedFile holds the revision that was acknowledged last. Badger drops
// what it cannot read at the end of a log, or of its list of tables, as what a
// crash has left half written. Whether that was acknowledged only this file
// tells. It is written after each commit and synced by the system, in its time:
// so it may lag behind after a loss of power, and never be ahead.
const acknowledgedFile = "ACKNOWLEDGED"

// acknowledgedSize is that of a revision and its checksum.
const acknowledgedSize = 8 + crc32.Size

// readAcknowledged is the revision that was acknowledged last, as far as it is
// known: 0 where it is not.
func readAcknowledged(dir string) (uint64, error) {
	text, err := os.ReadFile(filepath.Join(dir, acknowledgedFile))
	if errors.Is(err, fs.ErrNotExist) {
		return 0, nil
	}
	if err != nil {
		return 0, authz.Errorf(authz.Unavailable, "the store's last revision cannot be read: %w", err)
	}
	if len(bytes.Trim(text, "\x00")) == 0 { // what was written was never synced
		return 0, nil
	}
	if len(text) != acknowledgedSize || crc32.Checksum(text[:8], castagnoli) != binary.BigEndian.Uint32(text[8:]) {
		return 0, damagedAside(filepath.Join(dir, acknowledgedFile), "it tells which revision was acknowledged last, and")
	}
	return binary.BigEndian.Uint64(text), nil
}

// expectWritable refuses a store's directory that cannot be written to.
func expectWritable(dir string) error {
	file, err := os.OpenFile(filepath.Join(dir, acknowledgedFile), os.O_WRONLY|os.O_CREATE, 0o600)
	if err != nil {
		return authz.Errorf(authz.Unavailable, "the store in %s cannot be written to, as it has to be: mount it for writing, let the user write who runs this, or start from a copy on another disk: %w", dir, err)
	}
	return file.Close()
}

// openAcknowledged opens the file of a store that is opened.
func (s *Store) openAcknowledged() error {
	if s.disk.dir == "" {
		return nil
	}
	file, err := os.OpenFile(filepath.Join(s.disk.dir, acknowledgedFile), os.O_WRONLY|os.O_CREATE, 0o600)
	if err != nil {
		return authz.Errorf(authz.Unavailable, "the store cannot be written to: %w", err)
	}
	s.acknowledged = file
	return nil
}

// acknowledge notes that a revision is on disk. Where that cannot be noted the
// store goes on: it could find less at the next start, and loses nothing.
func (s *Store) acknowledge(revision uint64) {
	if s.acknowledged == nil {
		return
	}
	text := binary.BigEndian.AppendUint64(make([]byte, 0, acknowledgedSize), revision)
	text = binary.BigEndian.AppendUint32(text, crc32.Checksum(text, castagnoli))
	if _, err := s.acknowledged.WriteAt(text, 0); err != nil {
		s.options.Logger.Warn("which revision was acknowledged last cannot be noted", zap.Error(err))
	}
}

// closeAcknowledged syncs and closes the file.
func (s *Store) closeAcknowledged() error {
	if s.acknowledged == nil {
		return nil
	}
	if err := errors.Join(s.acknowledged.Sync(), s.acknowledged.Close()); err != nil {
		return fmt.Errorf("closing the store: %w", err)
	}
	return nil
}
