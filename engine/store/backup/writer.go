package backup

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"io"
)

// The kinds of frames.
const (
	headerFrame  = 'H'
	versionFrame = 'V'
	trailerFrame = 'T'
)

const (
	// frameBytes is at how many bytes a frame of versions is full.
	frameBytes = 256 << 10
	// maxFrameBytes bounds a payload, and with it what a reader keeps. A frame that
	// is almost full takes one more version, and none comes to as much as this.
	maxFrameBytes = 8 << 20
	prefixBytes   = 5 // length and kind
)

// A Writer writes a backup. Its caller adds versions until a frame is full, and
// then flushes, which is when something is written: in between nothing waits for
// whoever takes the backup.
type Writer struct {
	w       io.Writer
	frame   []byte // prefix and payload
	key     []byte // the last in the frame
	chain   [sha256.Size]byte
	trailer Trailer
}

// NewWriter begins a backup.
func NewWriter(w io.Writer, h Header) (*Writer, error) {
	h.Format = format
	b := &Writer{w: w, frame: make([]byte, prefixBytes, frameBytes+frameBytes/4), chain: begun()}
	if err := b.write([]byte(magic)); err != nil {
		return nil, err
	}
	return b, b.writeJSON(headerFrame, h)
}

// Add adds a version, which comes after those before it, and reports whether the
// frame is full. It keeps no part of it.
func (b *Writer) Add(v Version) (full bool) {
	b.frame = appendVersion(b.frame, b.key, v)
	b.key = append(b.key[:0], v.Key...)
	b.trailer.Versions++
	return len(b.frame) >= frameBytes
}

// Flush writes the frame, if there is anything in it.
func (b *Writer) Flush() error {
	if len(b.frame) == prefixBytes {
		return nil
	}
	err := b.writeFrame(versionFrame)
	b.frame, b.key = b.frame[:prefixBytes], b.key[:0]
	return err
}

// Close flushes and writes the trailer. Without it the backup is none.
func (b *Writer) Close() (Trailer, error) {
	if err := b.Flush(); err != nil {
		return Trailer{}, err
	}
	trailer := b.trailer
	return trailer, b.writeJSON(trailerFrame, trailer)
}

func (b *Writer) writeJSON(kind byte, value any) error {
	payload, err := json.Marshal(value)
	if err != nil {
		return fmt.Errorf("writing the backup: %w", err)
	}
	b.frame = append(b.frame[:prefixBytes], payload...)
	err = b.writeFrame(kind)
	b.frame = b.frame[:prefixBytes]
	return err
}

func (b *Writer) writeFrame(kind byte) error {
	if len(b.frame)-prefixBytes > maxFrameBytes {
		return fmt.Errorf("writing the backup: a frame of %d bytes, where %d are possible", len(b.frame)-prefixBytes, maxFrameBytes)
	}
	binary.BigEndian.PutUint32(b.frame, uint32(len(b.frame)-prefixBytes))
	b.frame[prefixBytes-1] = kind
	b.chain = seal(b.chain, b.frame)
	b.trailer.Frames++
	if err := b.write(b.frame); err != nil {
		return err
	}
	return b.write(b.chain[:])
}

func (b *Writer) write(p []byte) error {
	if _, err := b.w.Write(p); err != nil {
		return fmt.Errorf("writing the backup: %w", err)
	}
	b.trailer.Bytes += uint64(len(p))
	return nil
}

// begun is the checksum before the first frame.
func begun() [sha256.Size]byte { return sha256.Sum256([]byte(magic)) }

// seal is the checksum of a frame after those before it.
func seal(chain [sha256.Size]byte, frame []byte) [sha256.Size]byte {
	h := sha256.New()
	h.Write(chain[:])
	h.Write(frame)
	return [sha256.Size]byte(h.Sum(nil))
}
