package intake

import "encoding/binary"

// The parts of HTTP/2 that matter here (RFC 9113, sections 3.4, 4.1 and 6).
const (
	prefaceBytes = len("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n")
	headerBytes  = 9

	dataFrame         = 0
	headersFrame      = 1
	resetFrame        = 3
	continuationFrame = 9

	endStream  = 1
	endHeaders = 4
	padded     = 8

	enhanceYourCalm = 0xb
	cancelled       = 0x8
)

// A frames follows the frames that pass in one direction of a connection, in pieces of
// any size.
type frames struct {
	preface int // how much of it is still to pass
	header  [headerBytes]byte
	have    int // how much of the header has passed
	frame
	left int // how much of the frame's payload is still to pass
}

// A frame is what a header says.
type frame struct {
	length      int
	kind, flags byte
	stream      uint32
}

func (f frame) has(flag byte) bool { return f.flags&flag != 0 }

// endsRequest reports whether a frame of a client's is the last one of a call.
func (f frame) endsRequest() bool {
	return (f.kind == dataFrame || f.kind == headersFrame) && f.has(endStream)
}

// A part is what a piece belongs to.
type part int

const (
	nothing part = iota // the preface, or not all of a header
	header              // the end of a header
	payload
)

// pass takes the beginning of p, as far as it belongs to one part.
func (f *frames) pass(p []byte) (n int, of part) {
	switch {
	case f.preface > 0:
		n = min(f.preface, len(p))
		f.preface -= n
		return n, nothing
	case f.left > 0:
		n = min(f.left, len(p))
		f.left -= n
		return n, payload
	}
	n = copy(f.header[f.have:], p)
	if f.have += n; f.have < headerBytes {
		return n, nothing
	}
	f.have = 0
	f.frame = frame{
		length: int(f.header[0])<<16 | int(f.header[1])<<8 | int(f.header[2]),
		kind:   f.header[3],
		flags:  f.header[4],
		stream: binary.BigEndian.Uint32(f.header[5:]) &^ (1 << 31),
	}
	f.left = f.length
	return n, header
}

// room is how much may pass before there is another part.
func (f *frames) room() int {
	switch {
	case f.preface > 0:
		return f.preface
	case f.left > 0:
		return f.left
	}
	return headerBytes - f.have
}

// isBetween reports whether another frame may be put in here.
func (f *frames) isBetween() bool {
	isBlock := f.kind == headersFrame || f.kind == continuationFrame
	return f.preface == 0 && f.have == 0 && f.left == 0 && !(isBlock && !f.has(endHeaders))
}

// resetOf is a frame that resets a stream.
func resetOf(stream, code uint32) []byte {
	const length = 4
	reset := []byte{0, 0, length, resetFrame, 0}
	reset = binary.BigEndian.AppendUint32(reset, stream)
	return binary.BigEndian.AppendUint32(reset, code)
}

// A dataPart follows the payload of a DATA frame, in which padding may stand around the
// data (section 6.1).
type dataPart struct {
	isPadded bool // whether the length of the padding is still to come
	left     int  // how much of the data is still to pass
}

func dataOf(f frame) dataPart { return dataPart{isPadded: f.has(padded), left: f.length} }

// pass is the data in a piece of the payload.
func (d *dataPart) pass(p []byte) []byte {
	if d.isPadded {
		d.isPadded = false
		d.left = max(0, d.left-1-int(p[0]))
		p = p[1:]
	}
	p = p[:min(len(p), d.left)]
	d.left -= len(p)
	return p
}
