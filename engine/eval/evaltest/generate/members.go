package generate

import "fmt"

// made is a collection that is made where it is asked, and the type of its
// members.
func (w *writer) made(sc *scope) (string, *typ) {
	elem := pick(w.source, str, str, str, num)
	in := sc.deeper()
	starts := func() string {
		return pick(w.source, "["+w.leaf(str, sc)+"]", "{"+w.leaf(str, sc)+"}", w.leaf(strs, sc))
	}
	ways := []way{
		{25, func() string { return w.comprehension("{", "}", elem, in) }},
		{15, func() string { return w.comprehension("[", "]", elem, in) }},
		{8, func() string { return w.mapComprehension(elem, in) }},
		{5, func() string { return w.term(setOf(elem), in) }},
		{5, func() string {
			return "(" + w.term(setOf(elem), in) + pick(w.source, " | ", " & ", " - ") + w.leaf(setOf(elem), sc) + ")"
		}},
	}
	if elem == str {
		ways = append(ways,
			way{15, func() string { return fmt.Sprintf("graph.reachable(%s, %s)", w.leaf(graph, sc), starts()) }},
			way{5, func() string {
				return fmt.Sprintf("graph.reachable({ref: e.parents | some ref, e in data.directory.ref}, %s)", starts())
			}},
			way{5, func() string { return fmt.Sprintf("object.keys(%s)", w.term(numMap, in)) }},
			way{4, func() string {
				return fmt.Sprintf("split(%s, %s)", w.leaf(str, sc), pick(w.source, `"/"`, `":"`, `""`))
			}},
		)
	}
	return w.oneOf(ways...), elem
}

// among asks whether a collection that is made for that alone has a member, or
// any.
func (w *writer) among(sc *scope) string {
	made, elem := w.made(sc)
	counts := []string{" > 0", " > 0", " >= 1", " == 0", " != 0", " < 1", " <= 0", " > 1", " == 1", " > 0.5", " >= " + w.leaf(num, sc)}
	return w.oneOf(
		way{30, func() string { return w.leaf(elem, sc) + " in " + made }},
		way{5, func() string {
			return pick(w.source, w.leaf(str, sc), "0", "1") + ", " + w.leaf(elem, sc) + " in " + made
		}},
		way{25, func() string { return "count(" + made + ")" + pick(w.source, counts...) }},
		way{4, func() string { return pick(w.source, "0 < ", "0 != ", "0 == ", "1 <= ") + "count(" + made + ")" }},
		way{8, func() string { return "_ = " + made + "[" + w.leaf(elem, sc) + "]" }},
		way{weightIf(!sc.ground, 4), func() string { return "_ = " + made + "[_]" }},
		way{4, func() string {
			return "(" + made + ") " + pick(w.source, "==", "!=") + " " + pick(w.source, "set()", "[]", "{}", w.leaf(setOf(elem), sc))
		}},
		way{3, func() string { return w.leaf(setOf(elem), sc) + " == " + made }},
	)
}
