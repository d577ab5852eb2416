package backup

import (
	"bytes"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// FuzzReader reads what anybody may have written: the bytes as they come, and as
// the payload of a frame whose checksum is right. What is taken for a backup
// comes out of it the same when it is written and read again.
func FuzzReader(f *testing.F) {
	f.Add(made(f, header, 2, some()...))
	f.Add([]byte(magic))
	var payload []byte
	var previous []byte
	for _, v := range some() {
		payload = appendVersion(payload, previous, v)
		previous = v.Key
	}
	f.Add(payload)
	f.Add([]byte(`{"format":1,"to":9,"tip":"","tenants":null}`))
	whole := frame{headerFrame, []byte(`{"format":1,"to":18446744073709551615}`)}
	f.Fuzz(func(t *testing.T, data []byte) {
		for _, backup := range [][]byte{
			data,
			sealed(frame{headerFrame, data}),
			sealed(whole, frame{trailerFrame, data}),
			withTrailer(whole, frame{versionFrame, data}),
		} {
			h, versions, err := read(bytes.NewReader(backup))
			if err != nil {
				continue
			}
			again, repeated, err := read(bytes.NewReader(made(t, h, 3, versions...)))
			if err != nil {
				t.Fatalf("%q is read, and what was read is refused: %v", backup, err)
			}
			if diff := cmp.Diff(h, again); diff != "" {
				t.Fatal(diff)
			}
			if diff := cmp.Diff(versions, repeated); diff != "" {
				t.Fatal(diff)
			}
		}
	})
}

// withTrailer is sealed with the trailer that the frames ask for, if their
// versions can be read.
func withTrailer(frames ...frame) []byte {
	without := sealed(frames...)
	r, err := NewReader(bytes.NewReader(without))
	if err != nil {
		return without
	}
	for err == nil {
		_, err = r.Next()
	}
	var b bytes.Buffer
	w := &Writer{w: &b, chain: r.chain, trailer: r.trailer, frame: make([]byte, prefixBytes)}
	if _, err := w.Close(); err != nil {
		return without
	}
	return append(without, b.Bytes()...)
}
