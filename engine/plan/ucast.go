package plan

import (
	"encoding/json"
)

// ucastOf is a condition, or its negation, in UCAST. A negation is written as the
// opposite comparison, for not is nothing that all who run UCAST know, and what a
// not makes of NULL differs among them. A field that is NULL passes none of the
// comparisons but those that say so: to JavaScript, null <= 1.
func ucastOf(r row, negate bool) map[string]any {
	switch r.op {
	case none:
		return ucastOf(r.of[0], !negate)
	case all, some:
		var of []any
		for _, part := range r.of {
			of = append(of, ucastOf(part, negate))
		}
		return compound(operator("and", "or", (r.op == some) != negate), of...)
	case isThere:
		if negate {
			return field("eq", r.column, nil)
		}
		return field("ne", r.column, nil)
	}
	if negate {
		return compound("or", field("eq", r.column, nil), ucastTest(r, true))
	}
	if r.op == compares {
		return compound("and", field("ne", r.column, nil), ucastTest(r, false))
	}
	return ucastTest(r, false)
}

// ucastTest is a comparison, or the opposite, of a column that is there.
func ucastTest(r row, negate bool) map[string]any {
	value := plain(r.values[0])
	switch r.op {
	case isIn:
		if len(r.values) == 1 {
			return field(operator("eq", "ne", negate), r.column, value)
		}
		var values []any
		for _, value := range r.values {
			values = append(values, plain(value))
		}
		return field(operator("in", "nin", negate), r.column, values)
	case compares:
		pair := comparisons[r.cmp]
		return field(operator(pair[0], pair[1], negate), r.column, value)
	}
	test := field(map[rowOp]string{startsWith: "startswith", endsWith: "endswith", contains: "contains"}[r.op], r.column, value)
	if negate {
		return compound("not", test)
	}
	return test
}

// comparisons are the operators of comparisons, and their opposites.
var comparisons = map[string][2]string{"<": {"lt", "gte"}, "<=": {"lte", "gt"}, ">": {"gt", "lte"}, ">=": {"gte", "lt"}, "<>": {"ne", "eq"}}

func operator(plain, opposite string, negate bool) string {
	if negate {
		return opposite
	}
	return plain
}

func compound(operator string, of ...any) map[string]any {
	return map[string]any{"type": "compound", "operator": operator, "value": of}
}

func field(operator string, c column, value any) map[string]any {
	return map[string]any{"type": "field", "operator": operator, "field": c.table + "." + c.name, "value": value}
}

// plain is a value as JSON has it.
func plain(value any) any {
	if n, isNumber := value.(number); isNumber {
		return json.Number(n.text)
	}
	return value
}
