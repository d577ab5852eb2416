package store

import (
	"encoding/binary"
	"time"

	"github.com/verdictpdp/verdict/api/authz"
)

// A change record is a row of items: an author, who made what follows, or a
// touch. Items of format 2, which had no authors and told of a touch no more than
// what it was, are the bytes of their Op; they are read, and not written.
const (
	itemAuthor       = 'A'
	itemPutEntity    = 'P'
	itemDeleteEntity = 'D'
	itemPutGrant     = 'R'
	itemDeleteGrant  = 'T'
	itemSetPolicy    = byte(SetPolicy)
)

// PolicyMark is what the records name that tell of the policy. No name has it.
const PolicyMark = "\x00policy\x00"

// maxChunkBytes bounds one part of a change record.
const maxChunkBytes = 64 << 10

// items are the items of a change record, as they lie on disk.
type items struct {
	body  []byte
	count int
}

// add adds the touches of one write, with their author.
func (i *items) add(by *authz.Author, touches []Touch) {
	if by == nil {
		by = &authz.Author{}
	}
	i.body = appendAuthor(i.body, *by)
	for _, touch := range touches {
		i.body = appendTouch(i.body, touch)
	}
	i.count += 1 + len(touches)
}

// join adds the items of another write.
func (i *items) join(others items) {
	i.body = append(i.body, others.body...)
	i.count += others.count
}

// appendChangeRecord appends a change record's entries, one or as many as it takes,
// of items and what else a record has.
func appendChangeRecord(entries []entry, tenant string, record ChangeRecord, of items) []entry {
	value := binary.AppendUvarint(nil, record.Previous)
	value = binary.AppendVarint(value, record.Time.UnixNano())
	value = binary.AppendUvarint(value, uint64(of.count))
	value = append(value, of.body...)
	for chunk := uint32(0); ; chunk++ {
		part := value[:min(len(value), maxChunkBytes)]
		value = value[len(part):]
		entries = append(entries, entry{changeKey(tenant, record.Revision, chunk), part})
		if len(value) == 0 {
			return entries
		}
	}
}

func appendAuthor(body []byte, a authz.Author) []byte {
	body = appendRefText(append(body, itemAuthor), a.Subject)
	body = appendText(appendText(body, a.Method), a.Address)
	body = appendRefText(body, a.OnBehalfOf)
	return appendText(body, a.Reason)
}

func appendTouch(body []byte, t Touch) []byte {
	switch t.Op {
	case PutEntity:
		body = appendRefText(append(body, itemPutEntity), t.Ref)
		body = appendEntityDifference(body, t.Entity)
	case DeleteEntity:
		body = appendRefText(append(body, itemDeleteEntity), t.Ref)
		body = appendEntityDifference(body, t.Entity)
	case PutGrant:
		body = appendText(append(body, itemPutGrant), t.GrantID)
		body = appendHeldGrant(appendHeldGrant(body, t.Before), t.After)
	case DeleteGrant:
		body = appendText(append(body, itemDeleteGrant), t.GrantID)
		body = appendHeldGrant(body, t.Before)
	case SetPolicy:
		body = append(append(body, itemSetPolicy), PolicyMark...)
		body = appendPolicy(body, *t.Policy)
	}
	return body
}

// appendHeldGrant appends a grant within a value, or nothing of none.
func appendHeldGrant(body []byte, g *authz.Grant) []byte {
	if g == nil {
		return append(body, 0)
	}
	return appendText(body, string(appendGrant(nil, *g)))
}

func appendText(body []byte, text string) []byte {
	return append(binary.AppendUvarint(body, uint64(len(text))), text...)
}

func appendEntityDifference(body []byte, d *EntityDifference) []byte {
	if d == nil {
		d = &EntityDifference{}
	}
	created := byte(0)
	if d.Created {
		created = 1
	}
	body = append(body, created)
	for _, refs := range [][]authz.EntityRef{d.ParentsAdded, d.ParentsRemoved} {
		body = binary.AppendUvarint(body, uint64(len(refs)))
		for _, ref := range refs {
			body = appendRefText(body, ref)
		}
	}
	body = binary.AppendUvarint(body, uint64(len(d.Attributes)))
	for _, name := range d.Attributes {
		body = appendText(body, name)
	}
	return body
}

func appendPolicy(body []byte, p authz.PolicyChange) []byte {
	for _, text := range []string{p.Bundle, p.Path, p.Before, p.Revision, p.Digest, p.Refused} {
		body = appendText(body, text)
	}
	return appendTime(body, p.At)
}

// decodeChangeRecord reads a change record from its parts, put together.
func decodeChangeRecord(revision uint64, value []byte) (ChangeRecord, error) {
	d := decoder{rest: value}
	record := ChangeRecord{Revision: revision, Previous: d.uvarint(), Time: time.Unix(0, d.varint()).UTC()}
	count := d.count()
	record.Touches = make([]Touch, 0, count)
	var author *authz.Author
	for range count {
		item := d.byte()
		if item == itemAuthor {
			author = &authz.Author{Subject: d.ref(), Method: d.text(), Address: d.text(), OnBehalfOf: d.ref(), Reason: d.text()}
			continue
		}
		touch := d.touch(item)
		touch.Author = author
		record.Touches = append(record.Touches, touch)
	}
	if len(d.rest) > 0 {
		d.fail()
	}
	return record, d.err
}

func (d *decoder) touch(item byte) Touch {
	switch item {
	case itemPutEntity:
		return Touch{Op: PutEntity, Ref: d.ref(), Entity: d.difference()}
	case itemDeleteEntity:
		return Touch{Op: DeleteEntity, Ref: d.ref(), Entity: d.difference()}
	case itemPutGrant:
		t := Touch{Op: PutGrant, GrantID: d.text()}
		t.Before, t.After = d.heldGrant(t.GrantID), d.heldGrant(t.GrantID)
		return t
	case itemDeleteGrant:
		t := Touch{Op: DeleteGrant, GrantID: d.text()}
		t.Before = d.heldGrant(t.GrantID)
		return t
	case itemSetPolicy:
		for i := range len(PolicyMark) {
			if d.byte() != PolicyMark[i] {
				d.fail()
			}
		}
		return Touch{Op: SetPolicy, Policy: d.policy()}
	case byte(PutEntity), byte(DeleteEntity):
		return Touch{Op: Op(item), Ref: d.ref()}
	case byte(PutGrant), byte(DeleteGrant):
		return Touch{Op: Op(item), GrantID: d.text()}
	}
	d.fail()
	return Touch{}
}

func (d *decoder) heldGrant(id string) *authz.Grant {
	value := d.text()
	if value == "" || d.err != nil {
		return nil
	}
	g, err := decodeGrant(id, []byte(value))
	if err != nil {
		d.fail()
	}
	return &g
}

func (d *decoder) difference() *EntityDifference {
	diff := &EntityDifference{Created: d.byte() == 1}
	for _, refs := range []*[]authz.EntityRef{&diff.ParentsAdded, &diff.ParentsRemoved} {
		for range d.count() {
			*refs = append(*refs, d.ref())
		}
	}
	for range d.count() {
		diff.Attributes = append(diff.Attributes, d.text())
	}
	return diff
}

func (d *decoder) policy() *authz.PolicyChange {
	p := &authz.PolicyChange{}
	for _, text := range []*string{&p.Bundle, &p.Path, &p.Before, &p.Revision, &p.Digest, &p.Refused} {
		*text = d.text()
	}
	p.At = d.time()
	return p
}
