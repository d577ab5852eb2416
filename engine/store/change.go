package store

import (
	"encoding/binary"
	"time"

	"github.com/verdictpdp/verdict/api/authz"
)

// An Op is what was done to a record.
type Op byte

// The operations, with their bytes in a change record.
const (
	PutEntity    Op = 'E'
	DeleteEntity Op = 'e'
	PutGrant     Op = 'G'
	DeleteGrant  Op = 'g'
)

// A Touch is one record that a revision changed. What it became is read at
// that revision.
type Touch struct {
	Op      Op
	Ref     authz.EntityRef // of an entity
	GrantID string          // of a grant
}

// A ChangeRecord is what one revision changed in a tenant.
type ChangeRecord struct {
	Revision uint64
	// Previous is the revision of the tenant's change before this one, 0 for
	// the first: a reader that has followed the chain knows that it has
	// missed none.
	Previous uint64
	// Time is when the revision was committed.
	Time time.Time
	// Touches are the records of each write, entities before grants.
	Touches []Touch
}

// maxChunkBytes bounds one part of a change record.
const maxChunkBytes = 64 << 10

// appendChangeRecord appends a change record's entries: one, or as many as it
// takes.
func appendChangeRecord(entries []entry, tenant string, record ChangeRecord) []entry {
	var body []byte
	for _, touch := range record.Touches {
		body = append(body, byte(touch.Op))
		switch touch.Op {
		case PutEntity, DeleteEntity:
			body = appendRefText(body, touch.Ref)
		case PutGrant, DeleteGrant:
			body = binary.AppendUvarint(body, uint64(len(touch.GrantID)))
			body = append(body, touch.GrantID...)
		}
	}
	value := binary.AppendUvarint(nil, record.Previous)
	value = binary.AppendVarint(value, record.Time.UnixNano())
	value = binary.AppendUvarint(value, uint64(len(record.Touches)))
	value = append(value, body...)
	for chunk := uint32(0); ; chunk++ {
		part := value[:min(len(value), maxChunkBytes)]
		value = value[len(part):]
		entries = append(entries, entry{changeKey(tenant, record.Revision, chunk), part})
		if len(value) == 0 {
			return entries
		}
	}
}

// decodeChangeRecord reads a change record from its parts, put together.
func decodeChangeRecord(revision uint64, value []byte) (ChangeRecord, error) {
	d := decoder{rest: value}
	record := ChangeRecord{Revision: revision, Previous: d.uvarint(), Time: time.Unix(0, d.varint()).UTC()}
	record.Touches = make([]Touch, d.count())
	for i := range record.Touches {
		touch := &record.Touches[i]
		switch touch.Op = Op(d.byte()); touch.Op {
		case PutEntity, DeleteEntity:
			touch.Ref = d.ref()
		case PutGrant, DeleteGrant:
			touch.GrantID = d.text()
		default:
			d.fail()
		}
	}
	if len(d.rest) > 0 {
		d.fail()
	}
	return record, d.err
}

// A commitRecord is the store's own note of a commit.
type commitRecord struct {
	time    time.Time
	tenants []changedTenant
}

// A changedTenant is a tenant that a commit changed, and how many parts its
// change record has.
type changedTenant struct {
	name   string
	chunks int
}

func appendCommitRecord(value []byte, c commitRecord) []byte {
	value = binary.AppendVarint(value, c.time.UnixNano())
	value = binary.AppendUvarint(value, uint64(len(c.tenants)))
	for _, tenant := range c.tenants {
		value = binary.AppendUvarint(value, uint64(len(tenant.name)))
		value = append(value, tenant.name...)
		value = binary.AppendUvarint(value, uint64(tenant.chunks))
	}
	return value
}

func decodeCommitRecord(value []byte) (commitRecord, error) {
	d := decoder{rest: value}
	c := commitRecord{time: time.Unix(0, d.varint())}
	c.tenants = make([]changedTenant, d.count())
	for i := range c.tenants {
		c.tenants[i] = changedTenant{name: d.text(), chunks: int(d.uvarint())}
	}
	return c, d.err
}
