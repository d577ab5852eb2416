package store

import (
	"encoding/binary"
	"errors"
	"strings"
	"time"

	"github.com/verdictpdp/verdict/api/authz"
)

// The values of records. Numbers are varints; texts are a length and bytes;
// the last member of a value is what remains of it.

var errShort = errors.New("value ends early")

// appendEntity appends the value of an entity: its parents, then its
// attributes. The ref is in the key.
func appendEntity(value []byte, e authz.Entity) []byte {
	value = binary.AppendUvarint(value, uint64(len(e.Parents)))
	for _, parent := range e.Parents {
		value = appendRefText(value, parent)
	}
	return append(value, e.Attributes...)
}

// decodeEntity reads the value of an entity, of which it keeps no part.
func decodeEntity(ref authz.EntityRef, value []byte) (authz.Entity, error) {
	d := decoder{rest: value}
	e := authz.Entity{Ref: ref}
	if parents := d.count(); parents > 0 {
		e.Parents = make([]authz.EntityRef, parents)
		for i := range e.Parents {
			e.Parents[i] = d.ref()
		}
	}
	if len(d.rest) > 0 {
		e.Attributes = append(e.Attributes, d.rest...)
	}
	return e, d.err
}

// appendGrant appends the value of a grant. The id is in the key.
func appendGrant(value []byte, g authz.Grant) []byte {
	value = appendRefText(value, g.Subject)
	value = appendRefText(value, g.Role)
	value = appendRefText(value, g.Scope)
	value = appendTime(value, g.NotBefore)
	value = appendTime(value, g.NotAfter)
	return append(value, g.Reason...)
}

func decodeGrant(id string, value []byte) (authz.Grant, error) {
	d := decoder{rest: value}
	g := authz.Grant{
		ID: id, Subject: d.ref(), Role: d.ref(), Scope: d.ref(),
		NotBefore: d.time(), NotAfter: d.time(),
	}
	g.Reason = string(d.rest)
	return g, d.err
}

// appendRefText appends a ref as text, type:id, or nothing for the zero ref.
func appendRefText(value []byte, ref authz.EntityRef) []byte {
	if ref.IsZero() {
		return binary.AppendUvarint(value, 0)
	}
	value = binary.AppendUvarint(value, uint64(len(ref.Type)+1+len(ref.ID)))
	value = append(value, ref.Type...)
	value = append(value, ':')
	return append(value, ref.ID...)
}

// appendTime appends a time: whether there is one, seconds, nanoseconds.
func appendTime(value []byte, t time.Time) []byte {
	if t.IsZero() {
		return append(value, 0)
	}
	value = append(value, 1)
	value = binary.AppendVarint(value, t.Unix())
	return binary.AppendUvarint(value, uint64(t.Nanosecond()))
}

// A decoder takes a value apart. Its first error stays, and what follows is
// zero.
type decoder struct {
	rest []byte
	err  error
}

func (d *decoder) fail() {
	d.rest = nil
	if d.err == nil {
		d.err = errShort
	}
}

func (d *decoder) uvarint() uint64 {
	n, size := binary.Uvarint(d.rest)
	if size <= 0 {
		d.fail()
		return 0
	}
	d.rest = d.rest[size:]
	return n
}

func (d *decoder) varint() int64 {
	n, size := binary.Varint(d.rest)
	if size <= 0 {
		d.fail()
		return 0
	}
	d.rest = d.rest[size:]
	return n
}

// count is a number of things that follow, each of at least one byte.
func (d *decoder) count() int {
	n := d.uvarint()
	if n > uint64(len(d.rest)) {
		d.fail()
		return 0
	}
	return int(n)
}

func (d *decoder) byte() byte {
	if len(d.rest) == 0 {
		d.fail()
		return 0
	}
	b := d.rest[0]
	d.rest = d.rest[1:]
	return b
}

func (d *decoder) text() string {
	n := d.count()
	text := string(d.rest[:n])
	d.rest = d.rest[n:]
	return text
}

func (d *decoder) ref() authz.EntityRef {
	typ, id, _ := strings.Cut(d.text(), ":")
	return authz.EntityRef{Type: typ, ID: id}
}

func (d *decoder) time() time.Time {
	if d.byte() == 0 {
		return time.Time{}
	}
	seconds := d.varint()
	return time.Unix(seconds, int64(d.uvarint())).UTC()
}
