package generate

import (
	"fmt"
	"strconv"
	"strings"
)

// term is a term that likely has the type.
func (w *writer) term(t *typ, sc *scope) string {
	if w.chance(2) {
		t = pick(w.source, num, str, truth, strs, numMap) // what it has in fact
		return w.ref(t, sc)
	}
	if t == anyType {
		t = values[w.below(len(values))]
	}
	if w.small(sc) {
		return w.leaf(t, sc)
	}
	return w.oneOf(
		way{15, func() string { return w.leaf(t, sc) }},
		way{30, func() string { return w.ref(t, sc) }},
		way{35, func() string { return w.call(t, sc.deeper()) }},
		way{20, func() string { return w.composite(t, sc.deeper()) }},
		way{5, func() string { return w.byText(t, sc) }},
	)
}

// leaf is a term without terms in it, other than keys.
func (w *writer) leaf(t *typ, sc *scope) string {
	if name, found := w.bound(t, sc); found && w.chance(60) {
		return name
	}
	if w.chance(30) || t.kind == record {
		return w.ref(t, sc)
	}
	return w.literal(t)
}

// literal is a constant.
func (w *writer) literal(t *typ) string {
	switch t.kind {
	case number:
		return string(pick(w.source, someNumbers...))
	case text:
		return strconv.Quote(pick(w.source, someTexts...))
	case boolean:
		return pick(w.source, "true", "true", "false")
	case array:
		return "[" + w.listed(func() string { return w.literal(t.elem) }) + "]"
	case set:
		if w.chance(10) {
			return "set()"
		}
		return "{" + w.listed(func() string { return w.literal(t.elem) }) + "}"
	case mapping:
		return "{" + w.pairs(func() string { return w.literal(t.elem) }) + "}"
	case record:
		var parts []string
		for _, f := range t.fields {
			if w.chance(60) {
				parts = append(parts, fmt.Sprintf("%q: %s", f.name, w.literal(f.typ)))
			}
		}
		return "{" + strings.Join(parts, ", ") + "}"
	default:
		return w.literal(pick(w.source, num, str, truth))
	}
}

// listed is a few terms with commas between them.
func (w *writer) listed(write func() string) string {
	var parts []string
	for range 1 + w.below(3) {
		parts = append(parts, write())
	}
	return strings.Join(parts, ", ")
}

// pairs are members with different constant keys.
func (w *writer) pairs(write func() string) string {
	var parts []string
	keys := []string{"a", "b", "c"}
	if w.chance(25) {
		keys = []string{"read", "write", "record"}
	}
	for _, key := range keys {
		if w.chance(60) {
			parts = append(parts, fmt.Sprintf("%q: %s", key, write()))
		}
	}
	return strings.Join(parts, ", ")
}

// composite is a collection of terms, or a comprehension.
func (w *writer) composite(t *typ, sc *scope) string {
	comprehends := w.chance(60)
	switch t.kind {
	case array:
		if comprehends {
			return w.comprehension("[", "]", t.elem, sc)
		}
		return "[" + w.listed(func() string { return w.term(t.elem, sc) }) + "]"
	case set:
		if comprehends {
			return w.comprehension("{", "}", t.elem, sc)
		}
		return "{" + w.listed(func() string { return w.term(t.elem, sc) }) + "}"
	case mapping:
		if comprehends {
			return w.mapComprehension(t.elem, sc)
		}
		return "{" + w.pairs(func() string { return w.term(t.elem, sc) }) + "}"
	case number:
		return w.arithmetic(sc)
	case boolean:
		return "(" + w.comparison(sc) + ")"
	case text:
		if w.v2 && w.chance(50) {
			return fmt.Sprintf("$`%s{%s}`", pick(w.source, "", "a", "x/"), w.ref(pick(w.source, str, num), sc.grounded()))
		}
		return w.call(t, sc)
	default:
		return w.ref(t, sc)
	}
}

func (w *writer) comprehension(begin, end string, elem *typ, sc *scope) string {
	in := sc.inner()
	body := w.bodyBinding(elem, in)
	return begin + w.member(elem, in) + " | " + strings.Join(body, "; ") + end
}

// mapComprehension has keys that seldom meet with different values.
func (w *writer) mapComprehension(elem *typ, sc *scope) string {
	in := sc.inner()
	key, value, body := w.entry(elem, in)
	body = append(body, w.conditions(w.below(2), in)...)
	return "{" + key + ": " + value + " | " + strings.Join(body, "; ") + "}"
}

// entry is the key and the value of a member of a map, and the body that yields
// them. The key is a string.
func (w *writer) entry(elem *typ, sc *scope) (key, value string, body []string) {
	key = w.variable()
	if w.chance(75) {
		source, from := w.collection(mapping, sc)
		held := w.variable()
		sc.bind(key, str)
		sc.bind(held, from.elem)
		return key, w.constantOr(elem, sc), []string{fmt.Sprintf("some %s, %s in %s", key, held, source)}
	}
	source, from := w.collection(array, sc)
	body = []string{fmt.Sprintf("some %s in %s", key, source)}
	sc.bind(key, from.elem)
	value = w.constantOr(elem, sc)
	if from.elem != str {
		key = fmt.Sprintf(`sprintf("%%v", [%s])`, key)
	}
	return key, value, body
}

// constantOr is a value that is the same for the same key, most of the time: what
// was bound last, or a constant.
func (w *writer) constantOr(t *typ, sc *scope) string {
	switch {
	case len(sc.vars) > 0 && sc.vars[len(sc.vars)-1].typ == t:
		return sc.vars[len(sc.vars)-1].name
	case w.chance(80):
		return w.literal(t)
	default:
		return w.term(t, sc.deeper())
	}
}

// member is what a collection collects: a variable of its body, or a term.
func (w *writer) member(t *typ, sc *scope) string {
	if name, found := w.bound(t, sc); found && w.chance(70) {
		return name
	}
	return w.term(t, sc)
}

func (w *writer) arithmetic(sc *scope) string {
	a, b := w.term(num, sc), w.term(num, sc)
	operator := pick(w.source, "+", "+", "-", "*")
	switch {
	case w.chance(8):
		operator = "/"
	case w.chance(4):
		operator = "%"
	case w.chance(30):
		b = pick(w.source, "1", "2")
	}
	return "(" + a + " " + operator + " " + b + ")"
}

func (w *writer) comparison(sc *scope) string {
	t := pick(w.source, num, num, str, str, truth, strs, numSet)
	operator := pick(w.source, "==", "==", "!=", "<", "<=", ">", ">=")
	a, b := w.ref(t, sc), w.term(t, sc)
	if w.chance(30) {
		a, b = b, a
	}
	if strings.HasPrefix(a, "{") {
		a = "(" + a + ")" // not a body
	}
	return a + " " + operator + " " + b
}
