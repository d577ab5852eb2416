package native_test

import (
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/open-policy-agent/opa/v1/ast"

	"github.com/verdictpdp/verdict/engine/eval/closure/native"
)

func TestFunctions(t *testing.T) {
	tests := []struct{ name, operands, want string }{
		{"equal", `1, 1.0`, `true`},
		{"equal", `9007199254740993, 9007199254740992`, `false`},
		{"equal", `"a", "a"`, `true`},
		{"equal", `"1", 1`, `false`},
		{"equal", `null, false`, `false`},
		{"equal", `[1, [2]], [1.0, [2.0]]`, `true`},
		{"equal", `{"a": 1}, {"a": 1, "b": 2}`, `false`},
		{"equal", `{1, 2}, {2, 1}`, `true`},
		{"neq", `1, 1.0`, `false`},
		{"neq", `"a", null`, `true`},
		{"lt", `9223372036854775807, 9223372036854775808`, `true`},
		{"lt", `-10, -9`, `true`},
		{"lt", `-1, 0`, `true`},
		{"lt", `"a", "é"`, `true`},
		{"lt", `10, "1"`, `true`},
		{"lte", `2, 2.0`, `true`},
		{"gt", `1e400, 10`, `true`},
		{"gte", `[], {}`, `false`},
		{"internal.member_2", `"b", ["a", "b"]`, `true`},
		{"internal.member_2", `1.0, [0, 1]`, `true`},
		{"internal.member_2", `"a", {"a": "b"}`, `false`},
		{"internal.member_2", `"b", {"a": "b"}`, `true`},
		{"internal.member_2", `[1], {[1], 2}`, `true`},
		{"internal.member_2", `1e400, [10e399]`, `true`},
		{"internal.member_2", `1e400, {10e399}`, `false`},
		{"internal.member_2", `"a", "abc"`, `false`},
		{"internal.member_3", `1, "b", ["a", "b"]`, `true`},
		{"internal.member_3", `1.0, "b", ["a", "b"]`, `true`},
		{"internal.member_3", `"a", 1, {"a": 1}`, `true`},
		{"internal.member_3", `"a", null, {"b": 1}`, `false`},
		{"internal.member_3", `"a", "a", {"a"}`, `true`},
		{"internal.member_3", `"a", "a", "a"`, `false`},
		{"object.get", `{"a": 1}, "a", 0`, `1`},
		{"object.get", `{"a": false}, "a", true`, `false`},
		{"object.get", `{"a": 1}, "b", 0`, `0`},
		{"object.get", `{"a": {"b": [7]}}, ["a", "b", 0], "none"`, `7`},
		{"object.get", `{"a": {"b": [7]}}, ["a", "b", 1], "none"`, `"none"`},
		{"object.get", `{"a": {"x"}}, ["a", "x"], "none"`, `"x"`},
		{"object.get", `{"a": 1}, ["a", "b"], "none"`, `"none"`},
		{"object.get", `{"a": 1}, [], "none"`, `{"a": 1}`},
		{"object.get", `{["a"]: 1}, ["a"], "none"`, `"none"`},
		{"object.get", `["a"], 0, "none"`, `eval_type_error: object.get: operand 1 must be object but got array`},
		{"object.keys", `{"a": 1, 2: 3}`, `{2, "a"}`},
		{"object.keys", `{}`, `set()`},
		{"object.keys", `["a"]`, `eval_type_error: object.keys: operand 1 must be object but got array`},
		{"object.union", `{"a": 1, "b": {"c": 1, "d": 2}}, {"a": 2, "b": {"d": 3}}`, `{"a": 2, "b": {"c": 1, "d": 3}}`},
		{"object.union", `{"a": {"b": 1}}, {"a": 1}`, `{"a": 1}`},
		{"object.union", `{"a": 1}, {"a": 1.0}`, `{"a": 1}`},
		{"object.union", `{}, {"a": 1}`, `{"a": 1}`},
		{"object.union", `{"a": 1}, null`, `eval_type_error: object.union: operand 2 must be object but got null`},
		{"object.subset", `{"a", "b"}, {"b"}`, `true`},
		{"object.subset", `{"a"}, {"a", "b"}`, `false`},
		{"object.subset", `{"a": {"b": 1, "c": 2}}, {"a": {"c": 2}}`, `true`},
		{"object.subset", `[1, 2, 3], [2, 3]`, `true`},
		{"object.subset", `[1, 1], {1, 2}`, `true`},
		{"object.subset", `[1], {"a": 1}`, `eval_type_error: object.subset: both arguments object.subset must be of the same type or array and set`},
		{"count", `"a日b"`, `3`},
		{"count", `[1, 1]`, `2`},
		{"count", `{"a": 1}`, `1`},
		{"count", `set()`, `0`},
		{"count", `1`, `eval_type_error: count: operand 1 must be one of {array, object, set, string} but got number`},
		{"sum", `[1, 2, -3]`, `0`},
		{"sum", `[]`, `0`},
		{"sum", `[9223372036854775807, 1]`, `9223372036854775808`},
		{"sum", `{1, 0.5}`, `1.5`},
		{"sum", `[1, "a"]`, `eval_type_error: sum: operand 1 must be array of numbers but got array containing string`},
		{"sum", `"a"`, `eval_type_error: sum: operand 1 must be one of {set, array} but got string`},
		{"product", `[]`, `1`},
		{"product", `{2, 3}`, `6`},
		{"product", `[4294967296, 4294967296]`, `18446744073709551616`},
		{"product", `[0, 0.5]`, `0`},
		{"max", `[1, 1.0]`, `1.0`},
		{"max", `{1, "a", null}`, `"a"`},
		{"max", `[]`, `undefined`},
		{"max", `"a"`, `eval_type_error: max: operand 1 must be one of {set, array} but got string`},
		{"min", `[1, 1.0]`, `1.0`},
		{"min", `set()`, `undefined`},
		{"min", `{2, 1}`, `1`},
		{"sort", `[3, "a", 1]`, `[1, 3, "a"]`},
		{"sort", `{2, 1}`, `[1, 2]`},
		{"sort", `"ba"`, `eval_type_error: sort: operand 1 must be one of {set, array} but got string`},
		{"all", `[true, true]`, `true`},
		{"all", `{true, 1}`, `false`},
		{"all", `[]`, `true`},
		{"all", `true`, `eval_type_error: all: operand 1 must be one of {array, set} but got boolean`},
		{"any", `[false, true]`, `true`},
		{"any", `set()`, `false`},
		{"any", `"true"`, `eval_type_error: any: operand 1 must be one of {array, set} but got string`},
		{"and", `{1, 2}, {2, 3}`, `{2}`},
		{"and", `{1}, {2}`, `set()`},
		{"and", `{1}, [1]`, `eval_type_error: and: operand 2 must be set but got array`},
		{"or", `{1}, {2}`, `{1, 2}`},
		{"or", `set(), {2}`, `{2}`},
		{"or", `{1, 2}, {2.0}`, `{1, 2}`},
		{"or", `null, {2}`, `eval_type_error: or: operand 1 must be set but got null`},
		{"intersection", `{{1, 2}, {2, 3}}`, `{2}`},
		{"intersection", `set()`, `set()`},
		{"intersection", `{{1}, [1]}`, `eval_type_error: intersection: operand 1 must be set but got array`},
		{"union", `{{1}, {2, 1}}`, `{1, 2}`},
		{"union", `{{1}}`, `{1}`},
		{"union", `[{1}]`, `eval_type_error: union: operand 1 must be set but got array`},
		{"array.concat", `[1], [2]`, `[1, 2]`},
		{"array.concat", `[], [2]`, `[2]`},
		{"array.concat", `[1], {2}`, `eval_type_error: array.concat: operand 2 must be array but got set`},
		{"array.slice", `[1, 2, 3], 1, 2`, `[2]`},
		{"array.slice", `[1, 2, 3], -5, 99`, `[1, 2, 3]`},
		{"array.slice", `[1, 2, 3], 2, 1`, `[]`},
		{"array.slice", `[1, 2, 3], 1.0, 2`, `[2]`},
		{"array.slice", `[1, 2, 3], 0.5, 2`, `eval_type_error: array.slice: operand 2 must be integer number but got floating-point number`},
		{"array.reverse", `[1, 2, 3]`, `[3, 2, 1]`},
		{"array.reverse", `"ab"`, `eval_type_error: array.reverse: operand 1 must be array but got string`},
		{"numbers.range", `1, 3`, `[1, 2, 3]`},
		{"numbers.range", `1, -1`, `[1, 0, -1]`},
		{"numbers.range", `5, 5`, `[5]`},
		{"contains", `"abc", "bc"`, `true`},
		{"contains", `"abc", ""`, `true`},
		{"contains", `"abc", 1`, `eval_type_error: contains: operand 2 must be string but got number`},
		{"startswith", `"日本", "日"`, `true`},
		{"startswith", `null, "a"`, `eval_type_error: startswith: operand 1 must be string but got null`},
		{"endswith", `"abc", "bc"`, `true`},
		{"endswith", `"abc", ["c"]`, `eval_type_error: endswith: operand 2 must be string but got array`},
		{"strings.any_prefix_match", `"abc", ["x", "ab"]`, `true`},
		{"strings.any_prefix_match", `"abc", {"x"}`, `false`},
		{"strings.any_prefix_match", `["abc", "x"], "x"`, `true`},
		{"strings.any_prefix_match", `"abc", ["a", 1]`, `eval_type_error: strings.any_prefix_match: operand 2 must be array of strings but got array containing number`},
		{"strings.any_suffix_match", `"abc", {"bc"}`, `true`},
		{"strings.any_suffix_match", `"abc", "bc"`, `true`},
		{"strings.any_suffix_match", `1, "bc"`, `eval_type_error: strings.any_suffix_match: operand 1 must be one of {string, set, array} but got number`},
		{"lower", `"ÀB"`, `"àb"`},
		{"lower", `1`, `eval_type_error: lower: operand 1 must be string but got number`},
		{"upper", `"straße"`, `"STRAßE"`},
		{"upper", `[]`, `eval_type_error: upper: operand 1 must be string but got array`},
		{"trim", `"  a ", " "`, `"a"`},
		{"trim", `"a", 1`, `eval_type_error: trim: operand 2 must be string but got number`},
		{"trim_left", `"xxa", "x"`, `"a"`},
		{"trim_right", `"axx", "x"`, `"a"`},
		{"trim_prefix", `"xxa", "x"`, `"xa"`},
		{"trim_suffix", `"axx", "x"`, `"ax"`},
		{"trim_space", `"\t a\n"`, `"a"`},
		{"trim_space", `null`, `eval_type_error: trim_space: operand 1 must be string but got null`},
		{"indexof", `"a日b", "b"`, `2`},
		{"indexof", `"abc", "x"`, `-1`},
		{"indexof", `"abc", ""`, `eval_builtin_error: indexof: empty search character`},
		{"indexof", `1, "a"`, `eval_type_error: indexof: operand 1 must be string but got number`},
		{"substring", `"abc", 1, 1`, `"b"`},
		{"substring", `"abc", 1, -1`, `"bc"`},
		{"substring", `"abc", 5, 1`, `""`},
		{"substring", `"日本語", 1, 9223372036854775807`, `"本語"`},
		{"substring", `"abc", -1, 1`, `eval_builtin_error: substring: negative offset`},
		{"substring", `"abc", 0.5, 1`, `eval_type_error: substring: operand 2 must be integer number but got floating-point number`},
		{"split", `"a/b//c", "/"`, `["a", "b", "", "c"]`},
		{"split", `"abc", "/"`, `["abc"]`},
		{"split", `"aé", ""`, `["a", "é"]`},
		{"split", `"abc", null`, `eval_type_error: split: operand 2 must be string but got null`},
		{"concat", `", ", ["a", "b"]`, `"a, b"`},
		{"concat", `", ", {"b", "a"}`, `"a, b"`},
		{"concat", `", ", []`, `""`},
		{"concat", `", ", ["a"]`, `"a"`},
		{"concat", `", ", ["a", 1]`, `eval_type_error: concat: operand 2 must be array of strings but got array containing number`},
		{"concat", `1, ["a"]`, `eval_type_error: concat: operand 1 must be string but got number`},
		{"concat", `",", "a"`, `eval_type_error: concat: operand 2 must be one of {set, array} but got string`},
		{"replace", `"abab", "a", "xy"`, `"xybxyb"`},
		{"replace", `"abab", "x", "y"`, `"abab"`},
		{"replace", `"abab", "a", 1`, `eval_type_error: replace: operand 3 must be string but got number`},
		{"format_int", `255, 10`, `"255"`},
		{"format_int", `255, 16`, `"ff"`},
		{"format_int", `15.9, 10`, `"15"`},
		{"format_int", `18446744073709551617, 10`, `"18446744073709551617"`},
		{"format_int", `1, 3`, `eval_type_error: format_int: operand 2 must be one of {2, 8, 10, 16}`},
		{"format_int", `"1", 10`, `eval_type_error: format_int: operand 1 must be number but got string`},
		{"sprintf", `"%s has %d of %v and %q", ["a", 1, [1], "b\""]`, `"a has 1 of [1] and \"b\\\"\""`},
		{"sprintf", `"%d %v", [18446744073709551617, 1.50]`, `"18446744073709551617 1.5"`},
		{"sprintf", `"%s", [1]`, `"%!s(int64=1)"`},
		{"sprintf", `"%d", ["a"]`, `"%!d(string=a)"`},
		{"sprintf", `"%q", [65]`, `"'A'"`},
		{"sprintf", `"%v %v", [1]`, `"1 %!v(MISSING)"`},
		{"sprintf", `"%v", [1, 2]`, `"1%!(EXTRA int64=2)"`},
		{"sprintf", `"%5.1f%%", [1]`, `"%!f(int64=    1)%"`},
		{"sprintf", `"%", []`, `"%!(NOVERB)"`},
		{"sprintf", `"%v", "a"`, `eval_type_error: sprintf: operand 2 must be array but got string`},
		{"internal.template_string", `["a", 1, true, null, {"b"}, {[1]}, set()]`, `"a1truenullb[1]<undefined>"`},
		{"internal.template_string", `[{1, 2}]`, `halt: eval_conflict_error: template-strings must not produce multiple outputs`},
		{"internal.template_string", `[[1]]`, `halt: eval_internal_error: illegal argument type: array`},
		{"internal.template_string", `"a"`, `eval_type_error: internal.template_string: operand 1 must be array but got string`},
		{"is_null", `null`, `true`},
		{"is_boolean", `false`, `true`},
		{"is_number", `1e3`, `true`},
		{"is_string", `1`, `false`},
		{"is_array", `{1}`, `false`},
		{"is_set", `{1}`, `true`},
		{"is_object", `{"a": 1}`, `true`},
		{"is_object", `{1}`, `false`},
		{"type_name", `set()`, `"set"`},
		{"type_name", `{}`, `"object"`},
		{"type_name", `1.5`, `"number"`},
		{"to_number", `"12"`, `12`},
		{"to_number", `"1234567"`, `1234567`},
		{"to_number", `"-0"`, `-0`},
		{"to_number", `"007"`, `007`},
		{"to_number", `"1e3"`, `1e3`},
		{"to_number", `"inf"`, `eval_type_error: to_number: operand 1 must be valid number string but got string`},
		{"to_number", `"a"`, `eval_builtin_error: to_number: strconv.ParseFloat: parsing "a": invalid syntax`},
		{"to_number", `true`, `1`},
		{"to_number", `null`, `0`},
		{"to_number", `[1]`, `eval_type_error: to_number: operand 1 must be one of {null, boolean, number, string} but got array`},
		{"plus", `1, 2`, `3`},
		{"plus", `9223372036854775807, 1`, `9223372036854775808`},
		{"plus", `-9223372036854775808, -1`, `-9223372036854775809`},
		{"plus", `0.1, 0.2`, `0.3`},
		{"plus", `1, "1"`, `eval_type_error: plus: operand 2 must be number but got string`},
		{"minus", `1, 2`, `-1`},
		{"minus", `-9223372036854775808, 1`, `-9223372036854775809`},
		{"minus", `{1, 2}, {2}`, `{1}`},
		{"minus", `{1, 2}, {1.0, 2, 3}`, `set()`},
		{"minus", `{1e400}, {10e399}`, `set()`},
		{"minus", `{1}, 1`, `eval_type_error: minus: operand 2 must be set but got number`},
		{"minus", `"a", 1`, `eval_type_error: minus: operand 1 must be one of {number, set} but got string`},
		{"mul", `3037000500, 3037000500`, `9223372037000250000`},
		{"mul", `-1, -9223372036854775808`, `9223372036854775808`},
		{"mul", `0, -5`, `0`},
		{"mul", `1.5, 2`, `3`},
		{"div", `6, 3`, `2`},
		{"div", `7, 2`, `3.5`},
		{"div", `0, -5`, `-0`},
		{"div", `1, 0`, `eval_builtin_error: div: divide by zero`},
		{"div", `1, 3`, `0.33333333333333333334`},
		{"div", `-9223372036854775808, -1`, `9223372036854775808`},
		{"rem", `7, 3`, `1`},
		{"rem", `-7, 3`, `-1`},
		{"rem", `7, 0`, `eval_builtin_error: rem: modulo by zero`},
		{"rem", `7.5, 2`, `eval_builtin_error: rem: modulo on floating-point number`},
		{"abs", `-3`, `3`},
		{"abs", `-9223372036854775808`, `9223372036854775808`},
		{"abs", `-1.5`, `1.5`},
		{"ceil", `1.2`, `2`},
		{"ceil", `-1.2`, `-1`},
		{"ceil", `3`, `3`},
		{"floor", `-1.2`, `-2`},
		{"floor", `123456789012345678`, `123456789012345678`},
		{"round", `2.5`, `3`},
		{"round", `-2.5`, `-3`},
		{"round", `1234567890123456789012345`, `1234567890123456788955136`},
		{"round", `"1"`, `eval_type_error: round: operand 1 must be number but got string`},
		{"time.parse_rfc3339_ns", `"2024-02-29T12:34:56.5+02:00"`, `1709202896500000000`},
		{"time.parse_rfc3339_ns", `"2023-02-29T12:34:56Z"`, `eval_builtin_error: time.parse_rfc3339_ns: parsing time "2023-02-29T12:34:56Z": day out of range`},
		{"time.parse_rfc3339_ns", `"2262-04-11T23:47:16.854775807Z"`, `9223372036854775807`},
		{"time.parse_rfc3339_ns", `"2262-04-11T23:47:16.854775808Z"`, `eval_builtin_error: time.parse_rfc3339_ns: time outside of valid range`},
		{"time.parse_rfc3339_ns", `"1677-09-21T00:12:43Z"`, `eval_builtin_error: time.parse_rfc3339_ns: time outside of valid range`},
		{"time.parse_rfc3339_ns", `0`, `eval_type_error: time.parse_rfc3339_ns: operand 1 must be string but got number`},
		{"time.parse_ns", `"2006-01-02", "2024-02-29"`, `1709164800000000000`},
		{"time.parse_ns", `"2006-01-02", "2023-02-29"`, `eval_builtin_error: time.parse_ns: parsing time "2023-02-29": day out of range`},
		{"time.parse_ns", `"RFC3339", "2024-02-29T12:34:56Z"`, `1709210096000000000`},
		{"time.parse_ns", `"06", "99"`, `915148800000000000`},
		{"time.add_date", `1709164800000000000, 1, 0, 0`, `1740787200000000000`},
		{"time.add_date", `1709164800000000000, 0, -1, 30`, `1709078400000000000`},
		{"time.add_date", `[1711839600000000000, "Europe/Berlin"], 0, 0, 1`, `1711922400000000000`}, // a day of 23 hours
		{"time.add_date", `0, 300, 0, 0`, `eval_builtin_error: time.add_date: time outside of valid range`},
		{"time.add_date", `0, 0, 0, 1.5`, `eval_type_error: time.add_date: operand 4 must be integer number but got floating-point number`},
		{"time.date", `1700000000000000000`, `[2023, 11, 14]`},
		{"time.date", `-1`, `[1969, 12, 31]`},
		{"time.date", `[1700000000000000000, "Asia/Tokyo"]`, `[2023, 11, 15]`},
		{"time.clock", `1700000000000000000`, `[22, 13, 20]`},
		{"time.clock", `[1700000000000000000, "Asia/Kolkata"]`, `[3, 43, 20]`},
		{"time.clock", `[1700000000000000000, "nowhere"]`, `eval_builtin_error: time.clock: unknown time zone nowhere`},
		{"time.clock", `9223372036854775808`, `eval_builtin_error: time.clock: timestamp too big`},
		{"time.weekday", `1700000000000000000`, `"Tuesday"`},
		{"time.weekday", `1.5`, `eval_builtin_error: time.weekday: timestamp too big`},
		{"bits.and", `6, 3`, `2`},
		{"bits.and", `-1, 18446744073709551615`, `18446744073709551615`},
		{"bits.or", `6, -1`, `-1`},
		{"bits.or", `1.5, 1`, `eval_type_error: bits.or: operand 1 must be integer number but got floating-point number`},
		{"bits.xor", `6, 3`, `5`},
		{"bits.negate", `0`, `-1`},
		{"bits.negate", `"a"`, `eval_type_error: bits.negate: operand 1 must be integer but got string`},
		{"bits.lsh", `1, 62`, `4611686018427387904`},
		{"bits.lsh", `1, 63`, `9223372036854775808`},
		{"bits.lsh", `-1, 63`, `-9223372036854775808`},
		{"bits.lsh", `1, -1`, `eval_type_error: bits.lsh: operand 2 must be an unsigned integer number but got a negative integer`},
		{"bits.rsh", `-5, 1`, `-3`},
		{"bits.rsh", `5, 200`, `0`},
	}
	for _, tt := range tests {
		t.Run(tt.name+"("+tt.operands+")", func(t *testing.T) {
			operands := elementsOf(ast.MustParseTerm("[" + tt.operands + "]"))
			agree(t, tt.name, operands)
			result, err := call(t, tt.name, operands)
			if got := outcome(result, asOPA(tt.name, err)); got != tt.want {
				t.Errorf("got %s, want %s", got, tt.want)
			}
		})
	}
}

// What the table above cannot spell.
func TestEdges(t *testing.T) {
	text := func(s string) *ast.Term { return ast.StringTerm(s) }
	tests := []struct {
		name     string
		operands []*ast.Term
		want     string
	}{
		{"indexof", []*ast.Term{text("a\xffb"), text("\ufffd")}, `1`},
		{"indexof", []*ast.Term{text("a\ufffdb"), text("\xff")}, `1`},
		{"substring", append([]*ast.Term{text("a\xffb")}, terms(`1`, `1`)...), "\"\ufffd\""},
		{"count", []*ast.Term{text("a\xff\xff")}, `3`},
		{"to_number", []*ast.Term{text(strings.Repeat("9", 308))}, strings.Repeat("9", 308)},
		{"to_number", []*ast.Term{text(strings.Repeat("9", 309))}, `eval_builtin_error: to_number: strconv.ParseFloat: parsing "` + strings.Repeat("9", 309) + `": value out of range`},
		{"object.get", []*ast.Term{ast.NewTerm(ast.LazyObject(map[string]any{"a": []any{"b"}})), terms(`["a", 0]`)[0], ast.NullTerm()}, `"b"`},
		{"type_name", []*ast.Term{ast.VarTerm("x")}, `eval_builtin_error: type_name: illegal value`},
		{"max", terms(`{1e400, 1}`), `1e400`},
	}
	for _, tt := range tests {
		agree(t, tt.name, tt.operands)
		result, err := call(t, tt.name, tt.operands)
		if got := outcome(result, asOPA(tt.name, err)); got != tt.want {
			t.Errorf("%s%v: got %s, want %s", tt.name, tt.operands, got, tt.want)
		}
	}
	both := ast.SetTerm(terms(`1e400`, `10e399`)...)
	agree(t, "max", []*ast.Term{both})
	agree(t, "min", []*ast.Term{both})
}

// What could take longer than a decision may is left to what can be cancelled.
func TestLeavesTheUnboundedToOPA(t *testing.T) {
	text := strings.Repeat("a", 1<<11)
	tests := []struct {
		name     string
		operands []*ast.Term
	}{
		{"numbers.range", terms(`1`, `1000000000000`)},
		{"numbers.range", terms(`-9223372036854775808`, `9223372036854775807`)},
		{"numbers.range", terms(`9223372036854775807`, `-9223372036854775808`)},
		{"numbers.range", terms(`1.0`, `1000000000000`)},
		{"replace", []*ast.Term{ast.StringTerm(text), ast.StringTerm("a"), ast.StringTerm(text)}},
		{"replace", []*ast.Term{ast.StringTerm(text), ast.StringTerm(""), ast.StringTerm(text)}},
	}
	for _, tt := range tests {
		if result, err := call(t, tt.name, tt.operands); err != native.ErrUnbounded {
			t.Errorf("%s%.60v = %.60v, %v", tt.name, tt.operands, result, err)
		}
	}
}

// Several decisions read one set, which OPA sorts when it is first read.
func TestSharedOperands(t *testing.T) {
	for range 50 {
		var elements []*ast.Term
		for i := range 40 {
			elements = append(elements, ast.StringTerm(strconv.Itoa((i*7919)%40)))
		}
		set, other := ast.SetTerm(elements...), ast.SetTerm(elements[7:20]...)
		var readers sync.WaitGroup
		for _, name := range []string{"and", "or", "minus", "object.subset", "equal", "lt"} {
			readers.Go(func() {
				if _, err := call(t, name, []*ast.Term{set, other}); err != nil {
					t.Error(err)
				}
				if _, err := call(t, name, []*ast.Term{other, set}); err != nil {
					t.Error(err)
				}
			})
		}
		readers.Wait()
		if union, err := call(t, "or", []*ast.Term{set, other}); err != nil || !union.Equal(set) {
			t.Fatal(union, err)
		}
	}
}
