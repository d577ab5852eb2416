package pip

import (
	"context"
	"slices"
	"strings"

	"github.com/open-policy-agent/opa/v1/ast"

	"github.com/verdictpdp/verdict/api/authz"
	"github.com/verdictpdp/verdict/engine/hierarchy"
)

// A closure is everything at or above an entity, by ref.
type closure struct{ table[ancestor] }

// An ancestor is an entity at or above another.
type ancestor struct {
	term     *ast.Term // its ref
	typ      int32     // how many bytes of its ref are the type
	distance int32
}

// ancestorBytes is an estimate of what an ancestor takes, beside the table.
const ancestorBytes = 16

// ref is the ref of an ancestor.
func (c *closure) ref(i int) authz.EntityRef {
	text, typ := c.texts[i], c.rows[i].typ
	return authz.EntityRef{Type: text[:typ], ID: text[typ+1:]}
}

// closureOf is everything at or above an entry, remembered.
func (r *Reader) closureOf(ctx context.Context, d *derived) (*closure, error) {
	if known := d.closure.Load(); known != nil {
		return known, nil
	}
	at, root := d.entry, authz.Root(r.tenant)
	terms := make(map[authz.EntityRef]*ast.Term)
	found, err := hierarchy.Closure(at.key.ref(), root, func(ref authz.EntityRef) ([]authz.EntityRef, error) {
		if ref == at.key.ref() {
			return at.parents, nil
		}
		above, err := r.entry(ctx, ref)
		if err != nil {
			return nil, err
		}
		terms[ref] = above.ref
		return above.parents, nil
	})
	if err != nil {
		return nil, err
	}
	terms[at.key.ref()] = at.ref
	if terms[root] == nil { // nobody asks for its parents
		terms[root] = r.cache.decoders.names.root(r.tenant)
	}
	made := newClosure(found, terms)
	if d.closure.CompareAndSwap(nil, made) {
		d.add(tableBytes(len(found)) + ancestorBytes*len(found))
		r.keep(at)
	}
	return d.closure.Load(), nil
}

func newClosure(found []hierarchy.Ancestor, terms map[authz.EntityRef]*ast.Term) *closure {
	rows := make([]ancestor, len(found))
	for i, a := range found {
		rows[i] = ancestor{terms[a.Ref], int32(len(a.Ref.Type)), int32(a.Distance)}
	}
	slices.SortFunc(rows, func(a, b ancestor) int { return strings.Compare(textOf(a.term), textOf(b.term)) })
	texts := make([]string, len(rows))
	for i, row := range rows {
		texts[i] = textOf(row.term)
	}
	return &closure{newTable(texts, rows)}
}

// textOf is the text of a string's term.
func textOf(term *ast.Term) string { return string(term.Value.(ast.String)) }

// each visits the entries of a closure that is d's.
func (r *Reader) each(ctx context.Context, d *derived, closure *closure, visit func(at *entry, distance int32) error) error {
	for i := range closure.rows {
		at := d.entry
		if distance := closure.rows[i].distance; distance > 0 {
			var err error
			if at, err = r.entry(ctx, closure.ref(i)); err != nil {
				return err
			}
		}
		if err := visit(at, closure.rows[i].distance); err != nil {
			return err
		}
		r.keep(at)
	}
	return nil
}
