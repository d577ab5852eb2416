package generate

import (
	"fmt"
	"strings"
)

// call is a call that likely yields the type, of a function or a built-in.
func (w *writer) call(t *typ, sc *scope) string {
	if f, found := w.function(t); found && w.chance(40) {
		return w.calling(f, sc)
	}
	n := func() string { return w.term(num, sc) }
	s := func() string { return w.term(str, sc) }
	m := func(t *typ) func() string { return func() string { return w.term(t, sc) } }
	f := func(format string, operands ...func() string) way {
		return way{10, func() string {
			written := make([]any, len(operands))
			for i, operand := range operands {
				written[i] = operand()
			}
			return fmt.Sprintf(format, written...)
		}}
	}
	rarely := func(way way) way { return weigh(1, way) }
	few := func() string { return pick(w.source, "0", "1", "3", "count("+w.leaf(strs, sc)+")") }
	someOf := m(pick(w.source, nums, strs, numSet, strSet, numMap, recs, str, matrix))
	numbers := m(pick(w.source, nums, numSet))
	texts := m(pick(w.source, strs, strSet))
	switch {
	case t == num:
		return w.oneOf(
			weigh(30, f("count(%s)", someOf)),
			f("sum(%s)", numbers), f("max(%s)", numbers), f("min(%s)", numbers), f("product(%s)", numbers),
			f("abs(%s)", n), f("ceil(%s)", n), f("floor(%s)", n), f("round(%s)", n),
			weigh(3, f("to_number(%s)", s)), f(`to_number(%s)`, func() string { return pick(w.source, `"3"`, `"1.5"`, `"10"`) }),
			f("indexof(%s, %s)", s, s), f("strings.count(%s, %s)", s, func() string { return pick(w.source, `"a"`, `"/"`) }),
			f(`object.get(%s, %s, %s)`, m(rec), func() string { return pick(w.source, `"n"`, `"m"`, `["mp", "a"]`, `"s"`) }, n),
			f(`object.get(%s, %s, %s)`, m(numMap), m(str), n),
			f("bits.and(%s, 3)", func() string { return pick(w.source, "1", "2", "3", "10") }),
			f("time.now_ns()"), f(`time.parse_rfc3339_ns("2026-01-0%sT00:00:00Z")`, func() string { return pick(w.source, "1", "2", "2", "x") }),
			f("time.clock(%s)[0]", n), rarely(f("time.parse_rfc3339_ns(%s)", s)), f("numbers.range(0, 3)[%s]", n),
			f("bits.%s(%s, 2)", func() string { return pick(w.source, "or", "xor", "lsh", "rsh") }, few), f(`time.parse_duration_ns(%s)`, func() string { return pick(w.source, `"1h"`, `"2ms"`, `"1"`) }),
			f("time.date(%s)[2]", n), f("time.diff(%s, %s)[5]", n, few), f("numbers.range_step(0, 10, %s)[%s]", few, few), f(`units.parse_bytes(%s)`, func() string { return pick(w.source, `"1K"`, `"3"`, `""`) }),
			f("object.get(%s, [\"mp\", %s], %s)", m(rec), s, n), f("count(%s)", m(pick(w.source, anyType, str, rec))), f("json.unmarshal(%s)", func() string { return pick(w.source, `"1"`, `"1.50"`, `"x"`) }),
			rarely(f("units.parse(%s)", s)), f("time.add_date(time.now_ns(), 0, %s, 1)", few), f(`semver.compare("1.2.0", sprintf("1.%%v.0", [%s]))`, few),
		)
	case t == str:
		return w.oneOf(
			f(`concat("/", %s)`, texts), f("lower(%s)", s), f("upper(%s)", s), f("trim(%s, \"a\")", s), f("trim_prefix(%s, %s)", s, s),
			f(`sprintf("%%v-%%v", [%s, %s])`, m(anyType), s), f(`sprintf("%%d", [%s])`, n), f("format_int(%s, 10)", n),
			f("substring(%s, 0, 1)", s), rarely(f("substring(%s, %s, 2)", s, n)), f(`replace(%s, "a", %s)`, s, s), f("type_name(%s)", m(anyType)),
			f("json.marshal(%s)", m(anyType)), f(`split(%s, "/")[0]`, s), f("base64.encode(%s)", s), f("crypto.md5(%s)", s),
			f(`object.get(%s, "s", %s)`, m(rec), s), f("urlquery.encode(%s)", s), f("strings.reverse(%s)", s), rarely(f("base64.decode(%s)", s)),
			f("regex.replace(%s, \"[a-c]\", \"x\")", s), f("trim_space(%s)", s), f("time.weekday(%s)", n),
			f("trim_left(%s, %s)", s, s), f("trim_right(%s, \"a\")", s), f("trim_suffix(%s, %s)", s, s), f(`strings.replace_n({"a": %s, "b": "c"}, %s)`, s, s),
			f(`concat(%s, %s)`, s, texts), f(`sprintf("%%s/%%d:%%v", [%s, %s])`, s, n), f("time.format(%s)", n), f("hex.encode(%s)", s), f("crypto.sha256(%s)", s),
			f(`strings.render_template("{{.a}}-{{range .b}}{{.}}{{end}}", {"a": %s, "b": %s})`, s, m(strs)), f(`regex.find_n("[a-c]+", %s, 2)[0]`, s), f(`substring(%s, 1, -1)`, s), f(`max(%s)`, texts), f(`min(%s)`, texts),
			f(`upper(%s)`, func() string { return w.requestText() }), f(`glob.quote_meta(%s)`, s), f(`yaml.unmarshal(%s)`, func() string { return pick(w.source, `"a"`, `"read"`, `"["`) }),
		)
	case t == truth:
		return w.oneOf(w.tests(sc)...)
	case t == nums:
		return w.oneOf(
			f("array.concat(%s, %s)", m(nums), m(nums)), f("array.slice(%s, 0, 2)", m(nums)), f("array.reverse(%s)", m(nums)),
			f("sort(%s)", m(pick(w.source, nums, numSet))), f("numbers.range(%s, %s)", few, few), f("numbers.range_step(%s, 6, %s)", few, few),
			f("indexof_n(%s, \"a\")", s), f("array.slice(%s, %s, %s)", m(nums), few, n),
		)
	case t == strs:
		return w.oneOf(
			f("array.concat(%s, %s)", m(strs), m(strs)), f("array.slice(%s, 1, %s)", m(strs), n), f("array.reverse(%s)", m(strs)),
			f("sort(%s)", texts), f(`split(%s, "/")`, s), f(`regex.split("[/:]", %s)`, s), f(`object.get(%s, %s, %s)`, m(graph), s, m(strs)),
			f(`regex.find_n("[a-c]", %s, -1)`, s), f(`regex.find_all_string_submatch_n("([a-c])([a-z])?", %s, -1)[0]`, s), f("sort(%s)", m(strSet)), f("[x | some [x, _] in [[%s, 1], [%s, 2]]]", s, s),
		)
	case t.kind == set && (t == numSet || t == strSet):
		elem := t.elem
		list := nums
		if elem == str {
			list = strs
		}
		ways := []way{
			f("(%s | %s)", m(t), m(t)), f("(%s & %s)", m(t), m(t)), f("(%s - %s)", m(t), m(t)),
			f("union({%s, %s})", m(t), m(t)), f("intersection({%s, %s})", m(t), m(t)),
			f("{x | some x in %s}", m(list)), f("{x | x := %s[_]}", m(list)),
		}
		if elem == str {
			ways = append(ways,
				f("object.keys(%s)", m(pick(w.source, numMap, strMap, graph))),
				f("graph.reachable(%s, %s)", m(graph), texts),
				f("graph.reachable({k: v | some k, v in %s}, [%s])", m(graph), s),
				f("graph.reachable(%s, {%s})", m(pick(w.source, graph, strMap)), s), f("{p[0] | some p in graph.reachable_paths(%s, [%s])}", m(graph), s),
				f("union({{%s}, object.keys(%s)})", s, m(strMap)), f("{k | some k, _ in %s}", m(pick(w.source, numMap, strMap, graph, recMap))))
		}
		return w.oneOf(ways...)
	case t == numMap || t == strMap:
		return w.oneOf(
			f("object.union(%s, %s)", m(t), m(t)), f("object.remove(%s, %s)", m(t), texts), f("object.filter(%s, %s)", m(t), texts),
			f(`json.remove(%s, ["a"])`, m(t)), f(`json.filter(%s, ["a", "b"])`, m(t)), f("object.union_n([%s, %s])", m(t), m(t)),
			f(`object.get(%s, "mp", %s)`, m(rec), m(t)), f("json.unmarshal(json.marshal(%s))", m(t)),
			rarely(f(`json.patch(%s, [{"op": "add", "path": "c", "value": 1}])`, m(t))),
		)
	case t == rec:
		return w.oneOf(
			f(`object.union(%s, {"n": %s})`, m(rec), n), f(`object.remove(%s, ["n", "s"])`, m(rec)), f("json.unmarshal(json.marshal(%s))", m(rec)),
			f(`object.get(%s, %s, %s)`, m(recMap), s, m(rec)),
		)
	default:
		return w.ref(t, sc)
	}
}

func weigh(weight int, way way) way {
	way.weight = weight
	return way
}

// tests are calls that yield a boolean.
func (w *writer) tests(sc *scope) []way {
	s := func() string { return w.term(str, sc) }
	call := func(name string, operands ...*typ) way {
		return way{10, func() string {
			var written []string
			for _, t := range operands {
				written = append(written, w.term(t, sc))
			}
			return name + "(" + strings.Join(written, ", ") + ")"
		}}
	}
	return []way{
		call("startswith", str, str), call("endswith", str, str), call("contains", str, str),
		call("is_number", anyType), call("is_string", anyType), call("is_array", anyType), call("is_set", anyType),
		call("is_object", anyType), call("is_boolean", anyType), call("is_null", anyType),
		{10, func() string {
			return fmt.Sprintf("glob.match(%s, %s, %s)", pick(w.source, `"*"`, `"a*"`, `"u?"`, `"x/*"`, `"{a,b}"`), pick(w.source, "[]", `["/"]`, "null"), s())
		}},
		{10, func() string {
			return fmt.Sprintf("regex.match(%s, %s)", pick(w.source, `"^[a-c]"`, `"u[0-9]"`, `"a|b"`, `"^$"`), s())
		}},
		{1, func() string { return fmt.Sprintf("regex.match(%s, %s)", s(), s()) }},
		call("object.subset", strSet, strSet), call("object.subset", strs, strSet), call("object.subset", rec, rec), call("strings.any_prefix_match", strs, strs),
		call("regex.is_valid", str), call("strings.any_suffix_match", str, strSet), call("semver.is_valid", str),
		{5, func() string {
			return fmt.Sprintf(`net.cidr_contains(%s, %s)`, pick(w.source, `"10.0.0.0/8"`, `"a"`), pick(w.source, `"10.1.2.3"`, `"11.0.0.1"`, `""`))
		}},
		{5, func() string { return fmt.Sprintf(`regex.template_match("a{[a-c]*}", %s, "{", "}")`, s()) }},
		{3, func() string { return fmt.Sprintf("glob.match(%s, [%s], %s)", s(), s(), s()) }},
		call("object.subset", strMap, strMap), call("strings.any_prefix_match", str, strs), call("strings.any_suffix_match", strs, str),
		call("json.is_valid", str),
	}
}

// function finds a function that yields a type.
func (w *writer) function(t *typ) (rule, bool) {
	var fitting []rule
	for _, r := range w.rules {
		if r.params != nil && r.typ == t {
			fitting = append(fitting, r)
		}
	}
	if len(fitting) == 0 {
		return rule{}, false
	}
	return fitting[w.below(len(fitting))], true
}

// calling is a call of a function.
func (w *writer) calling(f rule, sc *scope) string {
	var operands []string
	for _, t := range f.params {
		operands = append(operands, w.term(t, sc))
	}
	return f.refFrom(w) + "(" + strings.Join(operands, ", ") + ")"
}
