package store

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"math"
	"os"
	"strconv"
)

// A log is the revisions that are in no table yet, one behind the other: the
// entries of each, and an entry that ends it. An entry is a header, key, value
// and a checksum of all. Behind the last there are zeros.

// Badger's marks of entries.
const (
	inTransaction  = 1 << 6
	endTransaction = 1 << 7
)

const (
	// logHeaderSize is that of the number of a key, which is 0 where logs are not
	// encrypted, and of what goes with it.
	logHeaderSize = 20
	versionSize   = 8
	maxLogKey     = 1 << 16

	// maxLogBuffer is how much of a log is read at once.
	maxLogBuffer = 128 << 10
)

// endKey is the key of the entry that ends a revision, but for the version.
var endKey = []byte("!badger!txn")

// verifyLog verifies a log that follows on a revision, and tells the highest that
// is whole in it, and where the entries end. A crash may leave the last of the last log in part; then nothing
// follows on it that was written later, for a revision is on disk before the next
// is begun.
func verifyLog(path string, highest uint64) (whole uint64, end int64, err error) {
	file, err := os.Open(path)
	if err != nil {
		return 0, 0, err
	}
	defer file.Close()
	return verifyLogIn(file, highest)
}

// verifyLogIn verifies the log that something is.
func verifyLogIn(file io.ReaderAt, highest uint64) (whole uint64, end int64, err error) {
	from := bufio.NewReaderSize(io.NewSectionReader(file, 0, math.MaxInt64), maxLogBuffer)
	header := make([]byte, logHeaderSize)
	if _, err := io.ReadFull(from, header); err != nil {
		if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
			return highest, 0, nil // it was about to be made
		}
		return 0, 0, err
	}
	if binary.BigEndian.Uint64(header) != 0 {
		return 0, 0, errors.New("its header says that it is encrypted, as no log of ours is")
	}
	l := &logReader{from: from, at: logHeaderSize, highest: highest}
	if err := l.revisions(); err != nil {
		return 0, 0, err
	}
	later, err := laterRevision(file, l.at)
	if err != nil {
		return 0, 0, err
	}
	if later > l.highest+1 {
		return 0, 0, fmt.Errorf("it cannot be read behind revision %d, at byte %d, and revision %d follows", l.highest, l.at, later)
	}
	return l.highest, l.at, nil
}

type logReader struct {
	from    *bufio.Reader
	at      int64 // behind the last entry that was read
	highest uint64
}

// errLogEnd ends the reading of a log: there is no entry that is whole.
var errLogEnd = errors.New("end of log")

// revisions reads the revisions that are whole.
func (l *logReader) revisions() error {
	var begun uint64
	for {
		e, err := readLogEntry(l.from)
		if errors.Is(err, errLogEnd) {
			return nil
		}
		if err != nil {
			return err
		}
		l.at += e.size
		switch {
		case e.mark&inTransaction != 0:
			if begun == 0 {
				begun = e.version
			}
			if begun != e.version {
				return nil
			}
			continue
		case e.mark&endTransaction != 0:
			if e.ends != begun {
				return nil
			}
			begun = 0
			if e.ends > l.highest+1 {
				return fmt.Errorf("revision %d is followed by revision %d", l.highest, e.ends)
			}
			l.highest = max(l.highest, e.ends)
		case begun != 0:
			return nil
		default:
			l.highest = max(l.highest, e.version)
		}
	}
}

type logEntry struct {
	mark    byte
	version uint64
	ends    uint64 // which revision the entry ends
	size    int64
}

// readLogEntry reads an entry; what is none is errLogEnd.
func readLogEntry(from *bufio.Reader) (logEntry, error) {
	r := &summingReader{from: from}
	mark, _ := r.ReadByte()
	_, _ = r.ReadByte() // of the user, who has none
	keySize, _ := binary.ReadUvarint(r)
	valueSize, _ := binary.ReadUvarint(r)
	_, _ = binary.ReadUvarint(r) // when it expires
	if r.err == nil && (keySize < versionSize || keySize > maxLogKey || valueSize > 2*fullMemTableBytes) {
		r.err = errLogEnd
	}
	if r.err != nil {
		return logEntry{}, logEnd(r.err)
	}
	key, value := r.take(int(keySize)), r.take(int(valueSize))
	sum := r.sum
	stored := r.take(crc32.Size)
	if r.err == nil && binary.BigEndian.Uint32(stored) != sum {
		r.err = errLogEnd
	}
	if r.err != nil {
		return logEntry{}, logEnd(r.err)
	}
	e := logEntry{mark: mark, version: math.MaxUint64 - binary.BigEndian.Uint64(key[len(key)-versionSize:]), size: r.size}
	if mark&endTransaction != 0 {
		e.ends, _ = strconv.ParseUint(string(value), 10, 64)
	}
	return e, nil
}

// logEnd is what the error of an entry comes to: what is no entry, or is cut off,
// ends the log.
func logEnd(err error) error {
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		return errLogEnd
	}
	return err
}

// A summingReader reads an entry and sums up what it has read. Its first error
// stays.
type summingReader struct {
	from *bufio.Reader
	sum  uint32
	size int64
	err  error
}

func (r *summingReader) ReadByte() (byte, error) {
	part := r.take(1)
	if r.err != nil {
		return 0, r.err
	}
	return part[0], nil
}

func (r *summingReader) take(size int) []byte {
	if r.err != nil {
		return nil
	}
	part := make([]byte, size)
	if _, r.err = io.ReadFull(r.from, part); r.err != nil {
		return nil
	}
	r.sum = crc32.Update(r.sum, castagnoli, part)
	r.size += int64(size)
	return part
}

// laterRevision finds the highest revision that ends behind a place of a log,
// whatever lies between; 0 where there is none.
func laterRevision(file io.ReaderAt, at int64) (highest uint64, err error) {
	// What stands before the key in the entry that ends a revision: its marks, and
	// the sizes of its key and value, which are short.
	const before = 5
	const overlap = 64 // more than such an entry has
	window := make([]byte, maxLogBuffer)
	for {
		n, err := file.ReadAt(window, at)
		if err != nil && !errors.Is(err, io.EOF) {
			return 0, err
		}
		part := window[:n]
		for {
			found := bytes.Index(part, endKey)
			if found < 0 {
				break
			}
			if found >= before {
				entry, entryErr := readLogEntry(bufio.NewReaderSize(bytes.NewReader(part[found-before:]), 16))
				if entryErr == nil && entry.mark&endTransaction != 0 {
					highest = max(highest, entry.ends)
				}
			}
			part = part[found+len(endKey):]
		}
		if err != nil || n <= overlap {
			return highest, nil
		}
		at += int64(n - overlap)
	}
}
