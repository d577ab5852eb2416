package generate

import (
	"fmt"
	"strings"
)

// A rule is a rule that others may refer to.
type rule struct {
	pkg, name string
	typ       *typ
	params    []*typ // of a function; otherwise nil
}

// refFrom is how the rule is referred to where w writes.
func (r rule) refFrom(w *writer) string {
	if r.pkg == w.pkg && !w.chance(15) {
		return r.name
	}
	return "data." + r.pkg + "." + r.name
}

// rule is a rule of any kind with all its definitions. Those that are written
// later may refer to it.
func (w *writer) rule() string {
	w.fuel = fuelPerRule
	r := rule{pkg: w.pkg, name: fmt.Sprintf("r%d", len(w.rules))}
	defined := w.oneOf(
		way{15, func() string { return w.flag(&r) }},
		way{15, func() string { return w.complete(&r) }},
		way{12, func() string { return w.chain(&r) }},
		way{15, func() string { return w.partialSet(&r) }},
		way{15, func() string { return w.partialObject(&r) }},
		way{12, func() string { return w.generalRef(&r) }},
		way{16, func() string { return w.aFunction(&r) }},
	)
	w.rules = append(w.rules, r)
	return defined + "\n"
}

// when is a body that follows a head, on lines of its own.
func (w *writer) when(sc *scope) string { return block(w.body(sc)) }

func block(body []string) string { return " if {\n\t" + strings.Join(body, "\n\t") + "\n}\n" }

// flag is true, by several bodies.
func (w *writer) flag(r *rule) string {
	r.typ = truth
	text := ""
	if w.chance(30) {
		text = "default " + r.name + " := false\n"
	}
	for range 1 + w.below(3) {
		text += r.name + w.when(&scope{})
	}
	if w.chance(4) {
		text += r.name + " := false" + w.when(&scope{})
	}
	return text
}

// complete has a value, of which several definitions agree most of the time.
func (w *writer) complete(r *rule) string {
	r.typ = values[w.below(len(values))]
	text := ""
	if w.chance(30) {
		text = "default " + r.name + " := " + w.literal(r.typ) + "\n"
	}
	define := func(value string, body []string) { text += r.name + " := " + value + block(body) }
	same := w.literal(r.typ)
	switch w.below(10) {
	case 0, 1, 2:
		for range 1 + w.below(3) {
			define(same, w.body(&scope{}))
		}
	case 3, 4, 5:
		for _, action := range []string{"read", "write"} {
			sc := &scope{}
			body := append(w.conditions(w.below(2), sc), fmt.Sprintf("input.action.name == %q", action))
			define(w.term(r.typ, sc), body)
		}
	case 6:
		for range 2 {
			sc := &scope{}
			body := w.body(sc)
			define(w.term(r.typ, sc), body)
		}
	default:
		text += r.name + " := " + w.term(r.typ, &scope{}) + "\n"
	}
	return text
}

// chain has else branches.
func (w *writer) chain(r *rule) string {
	r.typ = values[w.below(len(values))]
	text := ""
	if w.chance(20) {
		text = "default " + r.name + " := " + w.literal(r.typ) + "\n"
	}
	return text + w.branches(r.name, r.typ, &scope{})
}

// branches are a definition and its else branches.
func (w *writer) branches(head string, t *typ, outer *scope) string {
	text := head
	for i := range 2 + w.below(2) {
		sc := outer.inner()
		sc.depth = 0
		body := w.conditions(1+w.below(2), sc)
		if i > 0 {
			text = strings.TrimSuffix(text, "\n") + " else"
		}
		text += " := " + w.term(t, sc) + block(body)
	}
	return text
}

func (w *writer) partialSet(r *rule) string {
	elem := elements[w.below(len(elements))]
	r.typ = setOf(elem)
	text := ""
	for range 1 + w.below(3) {
		sc := &scope{}
		if w.chance(35) {
			text += r.name + " contains " + w.literal(elem) + w.when(sc)
			continue
		}
		body := w.bodyBinding(elem, sc)
		text += r.name + " contains " + w.member(elem, sc) + block(body)
	}
	return text
}

// setOf is the type of sets of a type.
func setOf(elem *typ) *typ {
	switch elem {
	case num:
		return numSet
	case str:
		return strSet
	default:
		return &typ{kind: set, elem: elem}
	}
}

// mapOf is the type of objects with the same type at every key.
func mapOf(elem *typ) *typ {
	switch elem {
	case num:
		return numMap
	case str:
		return strMap
	case truth:
		return truthMap
	case strs:
		return graph
	case rec:
		return recMap
	default:
		return &typ{kind: mapping, elem: elem}
	}
}

func (w *writer) partialObject(r *rule) string {
	elem := elements[w.below(len(elements))]
	r.typ = mapOf(elem)
	text := ""
	for range 1 + w.below(2) {
		text += w.entryRule(r.name+"[%s] := %s", elem)
	}
	if w.chance(40) {
		for _, key := range someKeys[1 : 2+w.below(3)] {
			text += fmt.Sprintf("%s[%q] := %s", r.name, key, w.literal(elem)) + w.when(&scope{})
		}
	}
	return text
}

// entryRule is a definition whose head has a key and a value.
func (w *writer) entryRule(head string, elem *typ) string {
	sc := &scope{}
	key, value, body := w.entry(elem, sc)
	body = append(body, w.conditions(w.below(2), sc)...)
	return fmt.Sprintf(head, key, value) + block(body)
}

// generalRef has variables inside the ref of its head, or several refs below
// one.
func (w *writer) generalRef(r *rule) string {
	elem := elements[w.below(len(elements))]
	one := func(name string, t *typ) *typ { return &typ{kind: record, fields: []field{{name, t}}} }
	text := ""
	switch w.below(8) {
	case 0: // p.a[x].f := v
		r.typ = one("a", mapOf(one("f", elem)))
		for range 1 + w.below(2) {
			text += w.entryRule(r.name+".a[%s].f := %s", elem)
		}
	case 1: // p[x] contains v
		r.typ = mapOf(setOf(elem))
		for range 1 + w.below(2) {
			text += w.entryRule(r.name+"[%s] contains %s", elem)
		}
		if w.chance(50) {
			text += r.name + ".a contains " + w.literal(elem) + w.when(&scope{})
		}
	case 2: // p[x][y] := v
		r.typ = mapOf(mapOf(elem))
		outer := w.variable()
		sc := &scope{}
		list := w.term(strs, sc)
		sc.bind(outer, str)
		key, value, body := w.entry(elem, sc)
		text = fmt.Sprintf("%s[%s][%s] := %s", r.name, outer, key, value) + block(append([]string{"some " + outer + " in " + list}, body...))
	case 3: // p.a.f := v, p.b contains v, p.c[x] := v
		r.typ = &typ{kind: record, fields: []field{{"a", one("f", elem)}, {"b", setOf(elem)}, {"c", mapOf(elem)}}}
		sc := &scope{}
		body := w.body(sc)
		text = r.name + ".a.f := " + w.literal(elem) + block(body)
		sc = &scope{}
		body = w.bodyBinding(elem, sc)
		text += r.name + ".b contains " + w.member(elem, sc) + block(body)
		text += w.entryRule(r.name+".c[%s] := %s", elem)
	case 4: // p[x].b contains v
		r.typ = mapOf(one("b", setOf(elem)))
		text = w.entryRule(r.name+"[%s].b contains %s", elem)
	case 5: // p[x] if, p.a if, p.b := false if
		r.typ = truthMap
		sc := &scope{}
		key, _, body := w.entry(elem, sc)
		text = r.name + "[" + key + "]" + block(append(body, w.conditions(w.below(2), sc)...))
		text += r.name + "." + pick(w.source, someKeys...) + w.when(&scope{})
		if w.chance(30) {
			text += r.name + ".c := false" + w.when(&scope{})
		}
	case 6: // p.read contains v, p.write contains v, p.a contains v
		r.typ = mapOf(setOf(elem))
		for _, key := range []string{"read", "write", "record"} {
			sc := &scope{}
			body := w.bodyBinding(elem, sc)
			text += r.name + "." + key + " contains " + w.member(elem, sc) + block(body)
		}
	default: // p[x].f := v, p.a.g := v
		r.typ = mapOf(&typ{kind: record, fields: []field{{"f", elem}, {"g", str}}})
		text = w.entryRule(r.name+"[%s].f := %s", elem)
		text += r.name + ".a.g := " + w.literal(str) + w.when(&scope{})
	}
	return text
}

// aFunction has several bodies, constants and patterns in its arguments, else
// branches or a default.
func (w *writer) aFunction(r *rule) string {
	r.typ = values[w.below(len(values))]
	r.params = []*typ{pick(w.source, str, str, num, rec, strs, strSet, entity), pick(w.source, str, num, grant), str}[:1+w.below(3)]
	text := ""
	if w.chance(20) {
		text = "default " + r.name + "(" + strings.Join([]string{"_", "_", "_"}[:len(r.params)], ", ") + ") := " + w.literal(r.typ) + "\n"
	}
	same := w.literal(r.typ)
	for i := range 1 + w.below(3) {
		sc := &scope{}
		head := r.name + "(" + strings.Join(w.parameters(r.params, sc), ", ") + ")"
		switch {
		case w.chance(20):
			text += w.branches(head, r.typ, sc)
		case r.typ == truth && w.chance(60):
			text += head + w.when(sc)
		case i == 0 || w.chance(10):
			body := w.body(sc)
			text += head + " := " + w.term(r.typ, sc) + block(body)
			if w.chance(70) {
				return text
			}
		default:
			text += head + " := " + same + w.when(sc)
		}
	}
	return text
}

// parameters are a function's parameters, some of them constants or patterns.
func (w *writer) parameters(types []*typ, sc *scope) []string {
	var written []string
	for _, t := range types {
		name := w.variable()
		switch {
		case t == str && w.chance(20):
			written = append(written, w.constantText())
		case (t == str || t == num) && w.chance(20):
			written = append(written, w.literal(t))
		case t == strs && w.chance(30):
			sc.bind(name, str)
			written = append(written, "["+name+", _]")
		case t == rec && w.chance(30):
			sc.bind(name, num)
			written = append(written, `{"n": `+name+"}")
		case w.chance(10):
			written = append(written, "_")
		default:
			sc.bind(name, t)
			written = append(written, name)
		}
	}
	return written
}
