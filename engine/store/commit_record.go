package store

import (
	"encoding/binary"
	"time"
)

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
