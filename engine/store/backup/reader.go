package backup

import (
	"bufio"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"slices"

	"github.com/verdictpdp/verdict/api/authz"
)

// A Reader reads a backup. It hands out nothing that it has not checked, and
// keeps one frame in memory.
type Reader struct {
	// Name is what errors of Next begin with, such as the file's; empty for nothing.
	Name string

	r       *bufio.Reader
	frame   []byte // the last that was read
	rest    []byte // of its payload
	chain   [sha256.Size]byte
	header  Header
	trailer Trailer // what was read so far
	size    uint64  // all of it, once its end was read
	last    Version
	begun   bool   // last was read from the same frame
	spare   []byte // for the next key
	err     error
}

// NewReader begins to read a backup, with its header. What is no backup, or
// damaged, is an error of kind Invalid; a backup of another format is one of kind
// FailedPrecondition; what cannot be read is the reader's error.
func NewReader(r io.Reader) (*Reader, error) {
	b := &Reader{r: bufio.NewReaderSize(r, 64<<10), chain: begun()}
	begin := make([]byte, len(magic))
	if n, err := io.ReadFull(b.r, begin); err != nil && !isEnd(err) {
		return nil, reading(err)
	} else if err != nil || string(begin) != magic {
		return nil, authz.Errorf(authz.Invalid, "this is no backup: it begins with %q", begin[:n])
	}
	b.trailer.Bytes = uint64(len(magic))
	kind, payload, err := b.readFrame()
	if err != nil {
		return nil, err
	}
	if kind != headerFrame {
		return nil, damaged("it begins with a frame of kind %q", kind)
	}
	if err := decodeHeader(payload, &b.header); err != nil {
		return nil, err
	}
	return b, nil
}

// decodeHeader reads a header. That of another format may have other members.
func decodeHeader(payload []byte, h *Header) error {
	err := decodeStrict(payload, h)
	if h.Format == format && err != nil {
		return damaged("its header cannot be read: %w", err)
	}
	return h.validate()
}

// Header is what the backup holds.
func (b *Reader) Header() Header { return b.header }

// Trailer is how much was read so far; all of it once Next has returned io.EOF.
func (b *Reader) Trailer() Trailer { return b.trailer }

// Size is how long the backup is, in bytes, once Next has returned io.EOF.
func (b *Reader) Size() uint64 { return b.size }

// Next is the next version, of which key and value are the caller's until the
// next call. At the end of a whole backup the error is io.EOF; others are as
// those of NewReader.
func (b *Reader) Next() (Version, error) {
	if b.err != nil {
		return Version{}, b.err
	}
	v, err := b.next()
	if err != nil && !errors.Is(err, io.EOF) && b.Name != "" {
		err = fmt.Errorf("%s: %w", b.Name, err)
	}
	b.err = err
	return v, err
}

func (b *Reader) next() (Version, error) {
	for len(b.rest) == 0 {
		before := b.trailer
		kind, payload, err := b.readFrame()
		switch {
		case err != nil:
			return Version{}, err
		case kind == trailerFrame:
			return Version{}, b.finish(payload, before)
		case kind != versionFrame || len(payload) == 0:
			return Version{}, damaged("frame %d is of kind %q with %d bytes", b.trailer.Frames, kind, len(payload))
		}
		b.rest, b.begun = payload, false
	}
	var previous []byte
	if b.begun {
		previous = b.last.Key
	}
	v, rest, err := cutVersion(b.rest, previous, b.spare)
	if err != nil {
		return Version{}, damaged("frame %d: %w", b.trailer.Frames, err)
	}
	switch {
	case len(v.Key) == 0 || v.Revision == 0 || v.Revision > b.header.To || v.Revision <= b.header.From:
		return Version{}, damaged("frame %d has a version of key %q at revision %d, which is not in the backup", b.trailer.Frames, v.Key, v.Revision)
	case b.last.Key != nil && compare(b.last, v) >= 0:
		return Version{}, damaged("frame %d has a version of key %q at revision %d out of order", b.trailer.Frames, v.Key, v.Revision)
	}
	b.spare, b.last = b.last.Key, v
	b.rest, b.begun = rest, true
	b.trailer.Versions++
	return v, nil
}

// finish checks the end of the backup, and returns io.EOF when it is right.
func (b *Reader) finish(payload []byte, before Trailer) error {
	var told Trailer
	if err := decodeStrict(payload, &told); err != nil {
		return damaged("its trailer cannot be read: %w", err)
	}
	if told != before {
		return damaged("its trailer tells of %+v, and there was %+v", told, before)
	}
	b.size, b.trailer = b.trailer.Bytes, before
	switch _, err := b.r.ReadByte(); {
	case err == nil:
		return damaged("something follows its trailer")
	case !errors.Is(err, io.EOF):
		return reading(err)
	}
	return io.EOF
}

// readFrame reads a frame and checks it. The payload lasts until the next.
func (b *Reader) readFrame() (kind byte, payload []byte, err error) {
	number := b.trailer.Frames + 1
	b.frame = slices.Grow(b.frame[:0], prefixBytes)[:prefixBytes]
	if err := b.fill(b.frame, number); err != nil {
		return 0, nil, err
	}
	size := binary.BigEndian.Uint32(b.frame)
	if size > maxFrameBytes {
		return 0, nil, damaged("frame %d, at byte %d, has a length of %d: at most %d are possible", number, b.trailer.Bytes, size, maxFrameBytes)
	}
	whole := prefixBytes + int(size) + sha256.Size
	b.frame = slices.Grow(b.frame, whole-prefixBytes)[:whole]
	if err := b.fill(b.frame[prefixBytes:], number); err != nil {
		return 0, nil, err
	}
	content := b.frame[:prefixBytes+int(size)]
	b.chain = seal(b.chain, content)
	if [sha256.Size]byte(b.frame[len(content):]) != b.chain {
		return 0, nil, damaged("the checksum of frame %d, at byte %d, does not match", number, b.trailer.Bytes)
	}
	b.trailer.Frames = number
	b.trailer.Bytes += uint64(whole)
	return b.frame[prefixBytes-1], content[prefixBytes:], nil
}

func (b *Reader) fill(p []byte, frame uint64) error {
	_, err := io.ReadFull(b.r, p)
	if isEnd(err) {
		return authz.Errorf(authz.Invalid, "the backup ends early, within frame %d, at byte %d: it was cut off, take it again or use another one", frame, b.trailer.Bytes)
	}
	return reading(err)
}

func isEnd(err error) bool {
	return errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF)
}

// reading is an error of the source, if there is one.
func reading(err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("reading the backup: %w", err)
}

// damaged is the error of a backup that is not as it was written.
func damaged(format string, args ...any) error {
	return authz.Errorf(authz.Invalid, "the backup is damaged: "+format+": use another one", args...)
}
