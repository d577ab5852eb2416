package backup

import (
	"bytes"
	"cmp"
	"encoding/binary"
	"errors"
)

// A Version is what a key was set to in one revision.
type Version struct {
	Key      []byte
	Revision uint64
	// Deleted is set where the revision deleted the key; then there is no Value.
	Deleted bool
	Value   []byte
}

// compare orders versions as a backup does: by key, the newest first.
func compare(a, b Version) int {
	if c := bytes.Compare(a.Key, b.Key); c != 0 {
		return c
	}
	return cmp.Compare(b.Revision, a.Revision)
}

// appendVersion appends a version to a payload whose last key is previous.
func appendVersion(payload, previous []byte, v Version) []byte {
	shared := 0
	for shared < min(len(previous), len(v.Key)) && previous[shared] == v.Key[shared] {
		shared++
	}
	payload = binary.AppendUvarint(payload, uint64(shared))
	payload = binary.AppendUvarint(payload, uint64(len(v.Key)-shared))
	payload = append(payload, v.Key[shared:]...)
	payload = binary.AppendUvarint(payload, v.Revision)
	if v.Deleted {
		return append(payload, 0)
	}
	payload = binary.AppendUvarint(payload, uint64(len(v.Value))+1)
	return append(payload, v.Value...)
}

var (
	errShort    = errors.New("it ends within a version")
	errTrailing = errors.New("something follows its content")
)

// cutVersion takes the first version off a payload, after the key before it in
// the frame. The version's key is made in a buffer, which is returned; the value
// is a part of the payload.
func cutVersion(payload, previous, buffer []byte) (v Version, rest []byte, err error) {
	shared, rest, err := cutNumber(payload)
	if err != nil {
		return v, nil, err
	}
	more, rest, err := cutNumber(rest)
	if err != nil {
		return v, nil, err
	}
	if shared > uint64(len(previous)) || more > uint64(len(rest)) {
		return v, nil, errShort
	}
	v.Key = append(append(buffer[:0], previous[:shared]...), rest[:more]...)
	if v.Revision, rest, err = cutNumber(rest[more:]); err != nil {
		return v, nil, err
	}
	size, rest, err := cutNumber(rest)
	if err != nil {
		return v, nil, err
	}
	if size == 0 {
		v.Deleted = true
		return v, rest, nil
	}
	if size--; size > uint64(len(rest)) {
		return v, nil, errShort
	}
	v.Value = rest[:size:size]
	return v, rest[size:], nil
}

func cutNumber(payload []byte) (number uint64, rest []byte, err error) {
	number, size := binary.Uvarint(payload)
	if size <= 0 {
		return 0, nil, errShort
	}
	return number, payload[size:], nil
}
