package store

import (
	"bytes"
	"iter"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/verdictpdp/verdict/api/authz"
)

// A reference is an attribute that names an entity by its ref, as its text or as
// one of the texts in its list or object: {"owner": "user:mina",
// "readers": ["group:night"]}.
type reference struct {
	attribute string
	to        authz.EntityRef // zero for more than are indexed
}

const (
	// maxReferences is how many refs of one attribute are indexed. An entity with more
	// of them is found whatever entity is asked for.
	maxReferences = 1_000
	// maxReferenceName is how long the name of an attribute may be that is indexed.
	maxReferenceName = 128
)

// IndexesReference reports whether there is an index of the entities that name a
// ref in an attribute.
func IndexesReference(attribute string, to authz.EntityRef) bool {
	return len(attribute) <= maxReferenceName && to.Validate() == nil
}

// references are what attributes in canonical form name, each once for an
// attribute.
func references(attributes []byte) iter.Seq[reference] {
	return func(yield func(reference) bool) {
		if !mayRefer(attributes) {
			return
		}
		d := jsontext.NewDecoder(bytes.NewReader(attributes))
		if _, err := d.ReadToken(); err != nil {
			return
		}
		for d.PeekKind() == jsontext.KindString {
			name, err := d.ReadToken()
			if err != nil {
				return
			}
			attribute := name.String()
			if len(attribute) > maxReferenceName {
				if d.SkipValue() != nil {
					return
				}
				continue
			}
			refs, many, read := refsIn(d)
			if !read {
				return
			}
			if many {
				refs = []authz.EntityRef{{}}
			}
			for _, to := range refs {
				if !yield(reference{attribute, to}) {
					return
				}
			}
		}
	}
}

// mayRefer is false for attributes without a colon in a text: a colon elsewhere
// stands behind the end of a name.
func mayRefer(attributes []byte) bool {
	for i, c := range attributes {
		if c == ':' && i > 0 && attributes[i-1] != '"' {
			return true
		}
	}
	return false
}

// refsIn are the refs in the next value, each once; many where there are more than
// are indexed.
func refsIn(d *jsontext.Decoder) (refs []authz.EntityRef, many, read bool) {
	switch d.PeekKind() {
	case jsontext.KindString:
		token, err := d.ReadToken()
		if err != nil {
			return nil, false, false
		}
		if ref, err := authz.ParseEntityRef(token.String()); err == nil {
			refs = append(refs, ref)
		}
		return refs, false, true
	case jsontext.KindBeginArray, jsontext.KindBeginObject:
		return refsWithin(d)
	default:
		return nil, false, d.SkipValue() == nil
	}
}

// refsWithin is refsIn for an array or an object.
func refsWithin(d *jsontext.Decoder) (refs []authz.EntityRef, many, read bool) {
	begin, err := d.ReadToken()
	if err != nil {
		return nil, false, false
	}
	inObject := begin.Kind() == jsontext.KindBeginObject
	seen := make(map[authz.EntityRef]bool)
	for d.PeekKind() != jsontext.KindEndArray && d.PeekKind() != jsontext.KindEndObject {
		if inObject && d.SkipValue() != nil { // the name
			return nil, false, false
		}
		if d.PeekKind() != jsontext.KindString {
			if d.SkipValue() != nil {
				return nil, false, false
			}
			continue
		}
		token, err := d.ReadToken()
		if err != nil {
			return nil, false, false
		}
		ref, err := authz.ParseEntityRef(token.String())
		switch {
		case err != nil || seen[ref]:
		case len(refs) == maxReferences:
			many = true
		default:
			seen[ref] = true
			refs = append(refs, ref)
		}
	}
	_, err = d.ReadToken()
	return refs, many, err == nil
}
