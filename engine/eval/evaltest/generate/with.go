package generate

import "strings"

// modified is an expression that is now and then evaluated with other
// documents or functions.
func (w *writer) modified(expression string, sc *scope) string {
	for w.chance(9) {
		expression += " with " + w.modifier(sc.deeper())
	}
	return expression
}

func (w *writer) modifier(sc *scope) string {
	return w.oneOf(
		way{20, func() string {
			f := rec.fields[w.below(len(rec.fields))]
			return "input.context." + f.name + " as " + w.leaf(f.typ, sc)
		}},
		way{10, func() string { return "input.subject.id as " + w.leaf(str, sc) }},
		way{25, func() string { return w.textModifier(sc) }},
		way{5, func() string {
			return `input as {"subject": {"type": "user", "id": "u2"}, "action": {"name": "read"}, "context": ` + w.leaf(rec, sc) + "}"
		}},
		way{20, func() string {
			d := documents[w.below(8)]
			return d.ref + " as " + w.leaf(d.typ, sc)
		}},
		way{10, func() string { return "data.levels." + pick(w.source, someKeys...) + " as " + w.leaf(num, sc) }},
		way{5, func() string { return "data.directory.user.u1.attributes.n as " + w.leaf(num, sc) }},
		way{5, func() string { return "data.directory.user.u1.parents as " + w.literal(strs) }},
		way{3, func() string { return `data.directory.ref["user:u1"] as ` + w.leaf(rec, sc) }},
		way{3, func() string { return "data.directory as {}" }},
		way{20, func() string { return w.replacement() }},
		way{8, func() string {
			for _, r := range w.rules {
				if r.params == nil && w.chance(50) {
					return "data." + r.pkg + "." + r.name + " as " + w.leaf(r.typ, sc)
				}
			}
			return "data.names as " + w.literal(strs)
		}},
	)
}

// replacement puts a value or another function in the place of a function. The
// value is none that a reference yields: OPA takes a call of such a function for
// true without looking at what that is.
func (w *writer) replacement() string {
	for _, r := range w.rules {
		if r.params == nil || !w.chance(40) {
			continue
		}
		name := r.refFrom(w)
		if len(r.params) == 1 && r.params[0] == str && w.chance(40) {
			return pick(w.source, "lower", "upper", "trim_space") + " as " + name
		}
		return name + " as " + w.literal(r.typ)
	}
	builtin := pick(w.source, "count", "sum", "lower", "startswith", "to_number", "time.now_ns", "is_number", "concat")
	switch {
	case strings.HasPrefix(builtin, "is_"), builtin == "startswith":
		return builtin + " as " + w.literal(truth)
	case builtin == "lower", builtin == "concat":
		return builtin + " as " + w.literal(str)
	default:
		return builtin + " as " + w.literal(num)
	}
}
