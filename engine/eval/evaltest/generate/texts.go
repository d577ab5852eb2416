package generate

import "fmt"

// What policies ask of a request before all else are a few texts: the action's
// name and the types of the subject and the resource. They compare them with
// constants, and look for them in sets, objects and rules.
var (
	requestTexts = []string{"input.action.name", "input.action.name", "input.resource.type", "input.subject.type"}
	// Those that requests have stand first; the last is in no request.
	actionNames   = []string{"read", "read", "write", "delete", ""}
	resourceTypes = []string{"record", "record", "a", "user", ""}
	subjectTypes  = []string{"user", "user", "user", "service", ""}
	constantTexts = []string{"read", "read", "write", "record", "record", "user", "service", "a", "export"}
)

func (w *writer) requestText() string { return pick(w.source, requestTexts...) }

func (w *writer) constantText() string { return fmt.Sprintf("%q", pick(w.source, constantTexts...)) }

// textCondition is a condition on a text of the request.
func (w *writer) textCondition(sc *scope) string {
	text, other := w.requestText(), w.requestText()
	c := w.constantText
	return w.oneOf(
		way{12, func() string { return text + pick(w.source, " == ", " == ", " = ", " != ") + c() }},
		way{8, func() string { return fmt.Sprintf("%s in {%s, %s, %s}", text, c(), c(), c()) }},
		way{5, func() string { return fmt.Sprintf("%s in [%s, %s]", text, c(), c()) }},
		way{5, func() string { return fmt.Sprintf("[%s, %s] == [%s, %s]", text, other, c(), c()) }},
		way{6, func() string { return fmt.Sprintf("[%s, %s] in {[%s, %s], [%s, %s]}", text, other, c(), c(), c(), c()) }},
		way{4, func() string {
			return fmt.Sprintf(`{"a": %s, "b": %s} == {"a": %s, "b": %s}`, text, w.literal(num), c(), w.literal(num))
		}},
		way{6, func() string { return "_ = {" + c() + ", " + c() + "}[" + text + "]" }},
		way{6, func() string { return "true == " + w.byText(truth, sc) }},
		way{5, func() string { return fmt.Sprintf("%s in %s", text, w.byText(strs, sc)) }},
		way{5, func() string {
			return fmt.Sprintf(`sprintf("%%s:%%s", [%s, %s]) in {"record:read", "a:write", %s}`, text, other, c())
		}},
		way{4, func() string { return fmt.Sprintf(`concat(":", [%s, %s]) == "record:read"`, text, other) }},
		way{4, func() string { return fmt.Sprintf("startswith(%s, %s)", text, pick(w.source, `"r"`, `"re"`, `""`)) }},
		way{4, func() string { return fmt.Sprintf("%s == %s", text, other) }},
		way{4, func() string {
			return "data." + pick(w.source, "labels", "flags", "levels", "graph") + "[" + text + "]"
		}},
		way{4, func() string { return "data.labels[" + text + "] == " + other }},
		way{weightIf(!sc.ground, 4), func() string { return fmt.Sprintf("%s == {%s, %s}[_]", text, c(), c()) }},
		way{weightIf(!sc.ground, 4), func() string {
			v := w.variable()
			return fmt.Sprintf("every %s in [%s, %s] { %s != %s }", v, c(), c(), v, text)
		}},
		way{4, func() string { return fmt.Sprintf("count([x | some x in [%s, %s]; x == %s]) > 0", c(), c(), text) }},
	)
}

// byText is a term that depends on a text of the request.
func (w *writer) byText(t *typ, sc *scope) string {
	text := w.requestText()
	table := func(value func() string) string {
		return fmt.Sprintf(`{"read": %s, "record": %s, %q: %s}`, value(), value(), pick(w.source, "write", "user", "a"), value())
	}
	constant := func() string { return w.literal(t) }
	return w.oneOf(
		way{20, func() string { return table(constant) + "[" + text + "]" }},
		way{10, func() string { return table(func() string { return w.leaf(t, sc) }) + "[" + text + "]" }},
		way{15, func() string { return fmt.Sprintf("object.get(%s, %s, %s)", table(constant), text, w.leaf(t, sc)) }},
		way{5, func() string { return fmt.Sprintf("{%s: %s}[%s]", text, w.leaf(t, sc), w.constantText()) }},
		way{5, func() string { return fmt.Sprintf("{%s: %s}[%s]", text, w.leaf(t, sc), w.requestText()) }},
		way{5, func() string {
			return fmt.Sprintf(`object.get({"record": %s}, ["record", %s], %s)`, table(constant), text, w.literal(t))
		}},
	)
}

// textModifier puts other texts into the request, or what is no text.
func (w *writer) textModifier(sc *scope) string {
	return w.oneOf(
		way{20, func() string { return w.requestText() + " as " + w.constantText() }},
		way{10, func() string { return w.requestText() + " as " + w.leaf(str, sc) }},
		way{6, func() string { return w.requestText() + " as " + w.leaf(num, sc) }},
		way{3, func() string { return w.requestText() + " as null" }},
		way{4, func() string { return "input.action as " + pick(w.source, "{}", `{"name": "read"}`, `"read"`) }},
		way{4, func() string {
			return "input.resource as " + pick(w.source, "{}", `{"type": "record"}`, `{"id": "r1"}`, "data.labels")
		}},
		way{3, func() string { return "input.subject as " + w.leaf(rec, sc) }},
		way{2, func() string { return "input as " + pick(w.source, "{}", `{"action": {"name": "write"}}`, `"read"`) }},
	)
}
