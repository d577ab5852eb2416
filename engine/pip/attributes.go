package pip

import (
	"sync/atomic"

	"github.com/open-policy-agent/opa/v1/ast"

	"github.com/verdictpdp/verdict/api/authz"
)

// attributes are an entity's attributes, of which it is known where in the text
// each value stands. A value is decoded when it is first asked for, and the
// object of all is made only where a policy wants it as a whole.
type attributes struct {
	shape  *shape
	values []value // in the order of the shape's names
	object atomic.Pointer[ast.Term]
	long   atomic.Pointer[longArrays] // in the values decoded
}

// A value is a part of the text of attributes.
type value struct {
	from, to uint32
	term     atomic.Pointer[ast.Term]
}

// Estimated bytes of attributes, without their text.
const (
	attributesBytes = 48
	valueBytes      = 16
)

// attributesOf finds the values of an entry's attributes once.
func (c *Cache) attributesOf(e *entry) (*attributes, error) {
	if known := e.attributes.Load(); known != nil {
		return known, nil
	}
	a, err := c.decoders.scan(e.text)
	if err != nil {
		return nil, authz.Errorf(authz.KindOf(err), "attributes of %s: %w", e.key, err)
	}
	if !e.attributes.CompareAndSwap(nil, a) {
		return e.attributes.Load(), nil
	}
	e.add(attributesBytes + valueBytes*len(a.values) + a.shape.bytes())
	return a, nil
}

// attribute is the value of an entry's attribute, or nil.
func (c *Cache) attribute(e *entry, name string) (*ast.Term, error) {
	a, err := c.attributesOf(e)
	if err != nil {
		return nil, err
	}
	if i := a.shape.find(name); i >= 0 {
		return c.attributeAt(e, a, i)
	}
	return nil, nil
}

// attributeAt decodes the value of an entry's attribute once.
func (c *Cache) attributeAt(e *entry, a *attributes, i int) (*ast.Term, error) {
	v := &a.values[i]
	if known := v.term.Load(); known != nil {
		return known, nil
	}
	decoded, err := c.decoders.decode(e.text[v.from:v.to])
	if err != nil {
		return nil, authz.Errorf(authz.KindOf(err), "attribute %s of %s: %w", authz.Quote(a.shape.texts[i]), e.key, err)
	}
	if !v.term.CompareAndSwap(nil, decoded.term) {
		return v.term.Load(), nil
	}
	a.note(decoded.long)
	e.add(decoded.size)
	return decoded.term, nil
}

// attributesObject makes the object of an entry's attributes once.
func (c *Cache) attributesObject(e *entry) (*ast.Term, error) {
	a, err := c.attributesOf(e)
	if err != nil {
		return nil, err
	}
	if known := a.object.Load(); known != nil {
		return known, nil
	}
	var few [fewMembers][2]*ast.Term
	members := few[:0]
	for i, name := range a.shape.rows {
		term, err := c.attributeAt(e, a, i)
		if err != nil {
			return nil, err
		}
		members = append(members, [2]*ast.Term{name, term})
	}
	object := ast.InternedEmptyObject
	if len(members) > 0 {
		object = ast.ObjectTerm(members...)
	}
	if a.object.CompareAndSwap(nil, object) && len(members) > 0 {
		e.add(objectBytes(len(members)))
	}
	return a.object.Load(), nil
}
