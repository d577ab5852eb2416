package closure

import (
	"strings"

	"github.com/open-policy-agent/opa/v1/ast"

	"github.com/verdictpdp/verdict/engine/eval"
)

// A lazy is a value that is not made before it is needed as a whole: the
// document data, the directory and what is in it, and documents that a with has
// replaced a part of. It is an ast.Value, so that it fits in a term; it belongs
// to one evaluation and is settled, made a value of OPA's, before it comes
// into a collection, a built-in or an answer.
type lazy struct {
	term    ast.Term // whose value this is
	machine *machine
	kind    lazyKind
	typ     string // of typeLazy and entityLazy
	id      string // of entityLazy
	ref     string // of entityLazy, where it was asked for by that
	entity  eval.Entity
	base    *ast.Term // of overLazy; nil where there is nothing below
	over    *patch    // of overLazy
	sent    any       // of sentLazy: an object or an array
	settled *ast.Term
}

type lazyKind uint8

const (
	dataLazy      lazyKind = iota // data
	directoryLazy                 // data.directory
	typeLazy                      // data.directory[typ]
	refLazy                       // data.directory.ref
	entityLazy                    // data.directory[typ][id]
	overLazy                      // what a with has put over something
	sentLazy                      // what the request brings
)

// The members of data that come from the directory: data.directory, and in it
// ref, which finds entities of all types by their refs.
const (
	directoryName = "directory"
	refName       = "ref"
	typeName      = "type" // of an entity's member, which says under what type it stands
)

// A patch is what a with puts over a document: a value, or patches of its
// members.
type patch struct {
	value   *ast.Term
	members map[string]*patch
}

// documents are the lazy values of an evaluation's own documents.
type documents struct {
	data, directory, refs lazy
	types                 []*lazy
	entities              []*lazy // those asked for, first to last
	others                []*lazy // all others that were taken
	free                  []*lazy // to be used again
}

// maxFree is how many lazy values are kept to be used again.
const maxFree = 1_000

// forget lets go of all that the documents hold.
func (d *documents) forget() {
	if d.data.machine != nil || d.directory.machine != nil || d.refs.machine != nil {
		d.data, d.directory, d.refs = lazy{}, lazy{}, lazy{}
	}
	for _, list := range [][]*lazy{d.entities, d.others} {
		for _, l := range list {
			*l = lazy{}
		}
		d.free = append(d.free, list...)
	}
	if len(d.free) > maxFree {
		clear(d.free[maxFree:])
		d.free = d.free[:maxFree]
	}
	d.entities, d.others, d.types = d.entities[:0], d.others[:0], d.types[:0]
}

// take is a lazy value for the time of the evaluation.
func (d *documents) take() *lazy {
	l := d.unused()
	d.others = append(d.others, l)
	return l
}

// unused is a lazy value that was let go of, or another.
func (d *documents) unused() *lazy {
	n := len(d.free)
	if n == 0 {
		return &lazy{}
	}
	l := d.free[n-1]
	d.free = d.free[:n-1]
	return l
}

// begin makes a lazy value.
func (l *lazy) begin(m *machine, kind lazyKind) *ast.Term {
	if l.machine == nil {
		l.machine, l.kind = m, kind
		l.term.Value = l
	}
	return &l.term
}

func (d *documents) everything(m *machine) *ast.Term { return d.data.begin(m, dataLazy) }

func (d *documents) isEverything(t *ast.Term) bool { return t == &d.data.term }

// entity is the entity data.directory[typ][id], or nil.
func (d *documents) entity(m *machine, typ, id string) *ast.Term {
	for _, e := range d.entities {
		if e.id == id && e.typ == typ {
			return e.found()
		}
	}
	if !m.step() {
		return nil
	}
	found, err := m.directory.Entity(m.ctx, typ, id)
	if err != nil {
		m.fail(err)
		return nil
	}
	return d.remember(m, typ, id, found)
}

// maxEntities is how many entities an evaluation keeps at hand; more are asked
// for again.
const maxEntities = 32

func (d *documents) remember(m *machine, typ, id string, found eval.Entity) *ast.Term {
	e := d.unused()
	e.begin(m, entityLazy)
	e.typ, e.id, e.entity = typ, id, found
	if len(d.entities) < maxEntities {
		d.entities = append(d.entities, e)
	}
	if found == nil {
		return nil
	}
	return &e.term
}

// byRef is the entity data.directory.ref[ref], or nil.
func (d *documents) byRef(m *machine, ref string) *ast.Term {
	for _, e := range d.entities {
		if e.ref == ref && ref != "" {
			return e.found()
		}
	}
	typ, id, _ := strings.Cut(ref, ":")
	found := d.entity(m, typ, id)
	if n := len(d.entities); found != nil && found == &d.entities[n-1].term {
		d.entities[n-1].ref = ref
	}
	return found
}

// found is an entity, or nil where there is none.
func (l *lazy) found() *ast.Term {
	if l.entity == nil {
		return nil
	}
	return &l.term
}

// get is what stands at key in a lazy value, or nil.
func (l *lazy) get(m *machine, key *ast.Term) *ast.Term {
	switch l.kind {
	case dataLazy:
		if key.Value == directoryValue {
			return m.known.directory.begin(m, directoryLazy)
		}
		return inBase(m, m.static, key)
	case directoryLazy:
		name, isName := baseName(key)
		switch {
		case !isName:
			return nil
		case name == refName:
			return m.known.refs.begin(m, refLazy)
		default:
			return m.known.ofType(m, name)
		}
	case typeLazy:
		if id, isName := baseName(key); isName {
			return m.known.entity(m, l.typ, id)
		}
		return nil
	case refLazy:
		if ref, isName := baseName(key); isName {
			return m.known.byRef(m, ref)
		}
		return nil
	case entityLazy:
		return l.member(m, key)
	case sentLazy:
		return l.inSent(m, key)
	default:
		return l.through(m, key)
	}
}

// ofType is data.directory[typ], or nil where the type has no entities.
func (d *documents) ofType(m *machine, typ string) *ast.Term {
	for _, t := range d.types {
		if t.typ == typ {
			return &t.term
		}
	}
	if !m.hasType(typ) {
		return nil
	}
	t := &lazy{typ: typ}
	d.types = append(d.types, t)
	return t.begin(m, typeLazy)
}

func (m *machine) hasType(typ string) (found bool) {
	err := m.directory.EachType(m.ctx, func(t string) bool {
		found = t == typ
		return !found && m.step()
	})
	if err != nil {
		m.fail(err)
		return false
	}
	return found
}

// member is a member of an entity, or nil.
func (l *lazy) member(m *machine, key *ast.Term) *ast.Term {
	name, isName := key.Value.(ast.String)
	if !isName {
		return nil
	}
	member, exists := eval.MemberNamed(string(name))
	if !exists {
		return nil
	}
	return l.memberOf(m, member)
}

func (l *lazy) memberOf(m *machine, member eval.Member) *ast.Term {
	term, err := l.entity.Member(m.ctx, member)
	if err != nil {
		m.fail(err)
		return nil
	}
	return term
}

// lookup is what stands at key in a member of an entity, or nil.
func (l *lazy) lookup(m *machine, member eval.Member, key *ast.Term) *ast.Term {
	term, err := l.entity.Lookup(m.ctx, member, key)
	if err != nil {
		m.fail(err)
		return nil
	}
	return term
}

// baseName is a key of a base document as a name: OPA's stores know a document
// by its path, in which numbers are texts.
func baseName(key *ast.Term) (string, bool) {
	switch key := key.Value.(type) {
	case ast.String:
		return string(key), true
	case ast.Number:
		return string(key), true
	default:
		return "", false
	}
}

// directoryValue is the name of the directory in data.
var directoryValue ast.Value = ast.String(directoryName)

// over is a lazy value that has another at a path inside base.
func (m *machine) over(base *ast.Term, path []*ast.Term, value *ast.Term) *ast.Term {
	p := &patch{value: value}
	for i := len(path) - 1; i >= 0; i-- {
		p = &patch{members: map[string]*patch{string(path[i].Value.(ast.String)): p}}
	}
	l := &lazy{base: base, over: p}
	return l.begin(m, overLazy)
}

// through is what stands at key in a value with a patch over it.
func (l *lazy) through(m *machine, key *ast.Term) *ast.Term {
	var below *ast.Term
	if l.base != nil {
		below = lookUp(m, l.base, key)
	}
	name, isName := key.Value.(ast.String)
	if !isName {
		return below
	}
	p := l.over.members[string(name)]
	switch {
	case p == nil:
		return below
	case p.value != nil:
		return p.value
	default:
		next := &lazy{base: below, over: p}
		return next.begin(m, overLazy)
	}
}
