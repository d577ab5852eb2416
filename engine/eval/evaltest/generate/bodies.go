package generate

import (
	"fmt"
	"strings"
)

// body is the expressions of a body; the variables that they bind are added to
// the scope.
func (w *writer) body(sc *scope) []string {
	var body []string
	for range 1 + w.below(3) {
		body = append(body, w.statement(sc))
	}
	return body
}

// bodyBinding is a body that binds a variable of a type.
func (w *writer) bodyBinding(t *typ, sc *scope) []string {
	body := []string{w.binding(t, sc)}
	return append(body, w.conditions(w.below(2), sc)...)
}

func (w *writer) conditions(n int, sc *scope) []string {
	var body []string
	for range n {
		body = append(body, w.condition(sc))
	}
	return body
}

// statement is an expression, which may bind variables.
func (w *writer) statement(sc *scope) string {
	if w.chance(10) {
		return w.modified(w.entityBinding(sc), sc)
	}
	if w.chance(35) {
		t := values[w.below(len(values))]
		if w.chance(12) {
			t = anyType
		}
		return w.binding(t, sc)
	}
	return w.condition(sc)
}

// binding binds a variable of a type.
func (w *writer) binding(t *typ, sc *scope) string {
	name := w.variable()
	defer func() { sc.bind(name, t) }()
	lists := map[*typ]*typ{num: nums, str: strs, rec: recs, nums: matrix}
	maps := map[*typ]*typ{num: numMap, str: strMap, rec: recMap, strs: graph, truth: truthMap, entity: entityMap}
	sets := map[*typ]*typ{num: numSet, str: strSet}
	ways := []way{{40, func() string { return w.modified(name+" := "+w.term(t, sc), sc) }}}
	if from := sets[t]; from != nil {
		ways = append(ways, way{25, func() string { return w.modified("some "+name+" in "+w.term(from, sc), sc) }})
		ways = append(ways, way{10, func() string { return "some " + name + "; " + w.ref(from, sc) + "[" + name + "]" }})
	}
	if from := lists[t]; from != nil {
		ways = append(ways, way{25, func() string { return w.modified("some "+name+" in "+w.term(from, sc), sc) }})
		ways = append(ways, way{8, func() string { return name + " := " + w.ref(from, sc) + "[_]" }})
		ways = append(ways, way{5, func() string { return "[" + name + ", _] = " + w.ref(from, sc) }})
		ways = append(ways, way{5, func() string {
			return "[" + w.literal(t) + ", " + name + "] = [" + w.ref(t, sc) + ", " + w.term(t, sc) + "]"
		}})
	}
	if from := maps[t]; from != nil {
		ways = append(ways, way{15, func() string {
			key := w.variable()
			text := "some " + key + ", " + name + " in " + w.term(from, sc)
			sc.bind(key, str)
			return text
		}})
		ways = append(ways, way{8, func() string {
			key := w.variable()
			text := "some " + key + "; " + name + " := " + w.ref(from, sc) + "[" + key + "]"
			sc.bind(key, str)
			return text
		}})
		ways = append(ways, way{4, func() string { return fmt.Sprintf("{%q: %s} = %s", pick(w.source, someKeys...), name, w.ref(from, sc)) }})
	}
	if t == anyType {
		ways = append(ways, way{40, func() string {
			key := w.variable()
			text := "some " + key + "; " + name + " := " + pick(w.source, w.helper(), w.ref(pick(w.source, rec, recMap), sc)) + "[" + key + "]"
			sc.bind(key, str)
			return text
		}})
		ways = append(ways, way{40, func() string {
			return "walk(" + w.ref(pick(w.source, recs, rec, matrix, graph), sc) + ", [_, " + name + "])"
		}})
	}
	return w.oneOf(ways...)
}

// helper is the package as a whole, which its own rules may not ask for.
func (w *writer) helper() string {
	if w.pkg == "helper" {
		return "data.table"
	}
	return "data.helper"
}

// collection is a term for a collection, and its type.
func (w *writer) collection(k kind, sc *scope) (string, *typ) {
	var t *typ
	switch k {
	case mapping:
		t = pick(w.source, numMap, numMap, strMap, recMap, graph, truthMap)
	case array:
		t = pick(w.source, nums, strs, strs, recs)
	default:
		t = pick(w.source, numSet, strSet)
	}
	return w.term(t, sc), t
}

// condition is an expression that binds nothing.
func (w *writer) condition(sc *scope) string {
	if w.small(sc) {
		return w.guard(sc)
	}
	return w.oneOf(
		way{30, func() string { return w.guard(sc) }},
		way{20, func() string { return w.modified(w.comparison(sc.deeper()), sc) }},
		way{12, func() string { return w.modified(w.oneOf(w.tests(sc.deeper())...), sc) }},
		way{8, func() string { return w.modified(w.ref(truth, sc), sc) }},
		way{8, func() string { return w.modified(w.ref(anyType, sc), sc) }},
		way{10, func() string { return w.modified(w.membership(sc.deeper()), sc) }},
		way{10, func() string { return w.negation(sc) }},
		way{18, func() string { return w.every(sc) }},
		way{6, func() string { return w.unification(sc) }},
		way{15, func() string { return w.modified(w.textCondition(sc), sc) }},
		way{15, func() string { return w.modified(w.among(sc.deeper()), sc) }},
		way{12, func() string { return w.modified(w.entityCondition(sc), sc) }},
		way{6, func() string { return w.booleanCall(sc) }},
		way{weightIf(w.v2, 8), func() string { return w.logic(sc) }},
	)
}

// guard is what an index may look at.
func (w *writer) guard(sc *scope) string {
	texts := func() string {
		return pick(w.source, "input.action.name", "input.action.name", "input.resource.type", "input.subject.id", "input.context.s", "data.labels.a", "data.helper.extra.s")
	}
	constants := func() string { return pick(w.source, `"read"`, `"read"`, `"write"`, `"record"`, `"u1"`, `"a"`) }
	return w.oneOf(
		way{12, func() string { return `input.action.name == "read"` }},
		way{12, func() string { return `input.resource.type == "record"` }},
		way{10, func() string { return `input.subject.type = "user"` }},
		way{10, func() string { return texts() + " == " + constants() }},
		way{5, func() string { return constants() + " = " + texts() }},
		way{6, func() string { return texts() + " != " + constants() }},
		way{6, func() string { return texts() + " in [" + constants() + ", " + constants() + "]" }},
		way{4, func() string { return texts() + " in {" + constants() + ", " + constants() + "}" }},
		way{4, func() string { return constants() + " in data.names" }},
		way{4, func() string { return "startswith(" + texts() + `, "r")` }},
		way{3, func() string { return `glob.match("r*", ["/"], ` + texts() + ")" }},
		way{4, func() string { return "data.graph[" + texts() + "]" }},
		way{weightIf(!sc.ground, 4), func() string { return "data.names[_] == " + texts() }},
		way{4, func() string { return "data.levels.a " + pick(w.source, "==", ">=", "<") + " " + w.literal(num) }},
		way{5, func() string { return "data.flags." + pick(w.source, someKeys...) }},
		way{5, func() string { return "data.directory.user[input.subject.id].attributes.b" }},
		way{3, func() string {
			return "data.directory.user[input.subject.id].ancestors[" + pick(w.source, `"department:d1"`, `"group:g1"`, w.leaf(str, sc)) + "]"
		}},
		way{3, func() string { return `data.directory.ref["user:u1"].attributes.n == ` + w.literal(num) }},
		way{8, func() string { return "input.context." + pick(w.source, "b", "b", "n", "s") }},
		way{5, func() string {
			return "data.directory.user[input.subject.id].grants[0].not_" + pick(w.source, "before_ns <= ", "after_ns > ") + "time.now_ns()"
		}},
	)
}

func (w *writer) membership(sc *scope) string {
	if w.chance(25) {
		list, t := w.collection(mapping, sc)
		return w.leaf(str, sc) + ", " + w.leaf(t.elem, sc) + " in " + list
	}
	list, t := w.collection(pick(w.source, array, set, mapping), sc)
	return w.leaf(t.elem, sc) + " in " + list
}

func (w *writer) negation(sc *scope) string {
	if w.v2 && w.chance(40) {
		return "not {" + strings.Join(w.body(sc.inner()), "; ") + "}"
	}
	in := sc.grounded()
	return w.modified("not "+w.oneOf(
		way{25, func() string { return w.guard(in) }},
		way{20, func() string { return w.ref(truth, in) }},
		way{15, func() string { return w.ref(anyType, in) }},
		way{20, func() string { return w.comparison(in) }},
		way{15, func() string { return w.membership(in) }},
		way{12, func() string { return w.textCondition(in) }},
		way{15, func() string { return w.among(in) }},
		way{10, func() string { return w.entityCondition(in) }},
		way{15, func() string { return w.oneOf(w.tests(in)...) }},
		way{10, func() string { return "(" + w.comparison(in) + ") == false" }},
	), sc)
}

func (w *writer) every(sc *scope) string {
	in := sc.inner()
	value := w.variable()
	list, t := w.collection(pick(w.source, array, set, mapping), sc.deeper())
	names := value
	in.bind(value, t.elem)
	body := []string{w.about(value, t.elem, in)}
	if t.kind == mapping && w.chance(60) {
		key := w.variable()
		names = key + ", " + value
		in.bind(key, str)
		body = append(body, w.about(key, str, in))
	}
	if w.chance(40) {
		body = append(body, w.statement(in))
	}
	return w.modified("every "+names+" in "+list+" {"+strings.Join(body, "; ")+"}", sc)
}

// about is a condition on a variable, which likely holds.
func (w *writer) about(name string, t *typ, sc *scope) string {
	tests := map[kind]string{number: "is_number", text: "is_string", boolean: "is_boolean", array: "is_array", record: "is_object"}
	return w.oneOf(
		way{40, func() string { return tests[t.kind] + "(" + name + ")" }},
		way{25, func() string { return name + pick(w.source, " != ", " <= ", " >= ", " == ") + w.leaf(t, sc) }},
		way{15, func() string { return name + " in [" + w.leaf(t, sc) + ", " + w.leaf(t, sc) + "]" }},
		way{10, func() string { return "not " + name + " == " + w.leaf(t, sc.grounded()) }},
		way{10, func() string { return "_ = " + name }},
	)
}

// unification takes a value apart.
func (w *writer) unification(sc *scope) string {
	first, second := w.variable(), w.variable()
	return w.oneOf(
		way{10, func() string {
			defer sc.bind(first, num)
			return "[" + first + ", " + w.literal(num) + "] = " + w.ref(nums, sc)
		}},
		way{10, func() string {
			defer func() { sc.bind(first, str); sc.bind(second, num) }()
			return `{"a": [` + first + `, "b"], "b": {"n": ` + second + `}} = {"a": [` + w.leaf(str, sc) + ", " + w.leaf(str, sc) + `], "b": {"n": ` + w.ref(num, sc) + "}}"
		}},
		way{10, func() string {
			return "[" + w.leaf(str, sc) + ", " + w.leaf(num, sc) + "] == [" + w.leaf(str, sc) + ", " + w.ref(num, sc) + "]"
		}},
		way{10, func() string { return w.ref(strs, sc) + " = [_, " + w.literal(str) + "]" }},
		way{10, func() string {
			defer sc.bind(first, str)
			return "split(" + w.leaf(str, sc) + `, "/", [` + first + ", _])"
		}},
	)
}

// booleanCall calls a function for whether it is defined and not false.
func (w *writer) booleanCall(sc *scope) string {
	var functions []rule
	for _, r := range w.rules {
		if r.params != nil {
			functions = append(functions, r)
		}
	}
	if len(functions) == 0 {
		return w.guard(sc)
	}
	return w.modified(w.calling(functions[w.below(len(functions))], sc), sc)
}

// logic is a conjunction or a disjunction, of version 2 of Rego.
func (w *writer) logic(sc *scope) string {
	operand := func() string {
		if w.chance(40) {
			return "{" + strings.Join(w.body(sc.inner()), "; ") + "}"
		}
		return w.guard(sc.grounded())
	}
	return operand() + pick(w.source, " or ", " or ", " and ") + operand()
}
