package generate

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// A scope is where a term stands: the variables that it may read, and how deep
// it is in others.
type scope struct {
	vars  []variable
	depth int
	// ground is whether a ref may not range over what it has no key for, as
	// under not and in template strings.
	ground bool
}

type variable struct {
	name string
	typ  *typ
}

// inner is the scope of something inside, whose variables are its own.
func (sc *scope) inner() *scope {
	return &scope{vars: slices.Clone(sc.vars), depth: sc.depth + 1}
}

// deeper is the scope of an operand.
func (sc *scope) deeper() *scope {
	return &scope{vars: sc.vars, depth: sc.depth + 1, ground: sc.ground}
}

// grounded is the scope of an operand in which refs are ground.
func (sc *scope) grounded() *scope {
	return &scope{vars: sc.vars, depth: sc.depth + 1, ground: true}
}

func (sc *scope) bind(name string, t *typ) { sc.vars = append(sc.vars, variable{name, t}) }

// variable is a name that the module has not used yet.
func (w *writer) variable() string {
	w.names++
	return "v" + strconv.Itoa(w.names)
}

// maxDepth is how deep terms and bodies stand in each other.
const maxDepth = 3

// small reports whether what is written next is to be without parts: it is deep
// already, or enough has been written.
func (w *writer) small(sc *scope) bool {
	w.fuel--
	return w.fuel <= 0 || sc.depth >= maxDepth
}

// A root is where a ref begins.
type root struct {
	ref string
	typ *typ
}

// ref refers to what has the type, by a document, a rule or a variable.
func (w *writer) ref(t *typ, sc *scope) string {
	var near, far []root
	add := func(r root) {
		switch {
		case r.typ == t:
			near = append(near, r)
		case r.typ.reaches(t, 4):
			far = append(far, r)
		}
	}
	for _, d := range documents {
		if w.fuel > 0 || !strings.Contains(d.ref, "directory") {
			add(root(d))
		}
	}
	for _, v := range sc.vars {
		for range 3 {
			add(root{ref: v.name, typ: v.typ})
		}
	}
	for _, r := range w.rules {
		if r.params == nil {
			for range 3 {
				add(root{ref: r.refFrom(w), typ: r.typ})
			}
		}
	}
	if t == anyType {
		near = append(near, root{ref: w.helper(), typ: anyMap})
	}
	roots := far
	if len(near) > 0 && (len(far) == 0 || w.chance(40)) {
		roots = near
	}
	if len(roots) == 0 {
		return w.literal(t)
	}
	from := roots[w.below(len(roots))]
	return w.walk(from.ref, from.typ, t, sc)
}

// walk goes from a value of one type to one of another inside it.
func (w *writer) walk(ref string, from, to *typ, sc *scope) string {
	for steps := 4; from != to; steps-- {
		if to == anyType && (from.elem == nil && from.fields == nil || w.chance(40)) {
			return ref
		}
		if from.kind == record {
			var fitting []field
			for _, f := range from.fields {
				if f.typ.reaches(to, steps-1) {
					fitting = append(fitting, f)
				}
			}
			f := fitting[w.below(len(fitting))]
			ref, from = ref+w.dot(f.name), f.typ
			continue
		}
		ref, from = ref+w.key(from, sc), from.elem
	}
	return ref
}

func (w *writer) dot(name string) string {
	if w.chance(10) {
		return fmt.Sprintf("[%q]", name)
	}
	return "." + name
}

// key is a step into an array, a set or a map.
func (w *writer) key(of *typ, sc *scope) string {
	keyType := str
	switch of.kind {
	case array:
		keyType = num
	case set:
		keyType = of.elem
	}
	return w.oneOf(
		way{weightIf(!sc.ground, 30), func() string { return "[_]" }},
		way{45, func() string { return w.constantKey(of) }},
		way{25, func() string {
			if name, found := w.bound(keyType, sc); found {
				return "[" + name + "]"
			}
			if keyType == str {
				return "[" + pick(w.source, "input.subject.id", "input.resource.id", "input.context.s", "data.names[0]") + "]"
			}
			return w.constantKey(of)
		}},
	)
}

func (w *writer) constantKey(of *typ) string {
	switch {
	case of == entityMap && w.chance(50):
		return "[" + pick(w.source, "input.subject.id", "input.resource.id") + "]"
	case of == entityMap:
		return pick(w.source, ".u1", ".r1", `["user:u1"]`, `["group:g1"]`, ".u2", `["record:r1"]`)
	case of.kind == array:
		return fmt.Sprintf("[%d]", w.below(3))
	case of.kind == set:
		return "[" + w.literal(of.elem) + "]"
	default:
		return w.dot(pick(w.source, someKeys...))
	}
}

// bound is the name of a variable of a type.
func (w *writer) bound(t *typ, sc *scope) (string, bool) {
	var names []string
	for _, v := range sc.vars {
		if v.typ == t || t == anyType {
			names = append(names, v.name)
		}
	}
	if len(names) == 0 {
		return "", false
	}
	return names[w.below(len(names))], true
}
