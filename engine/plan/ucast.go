package plan

import (
	"encoding/json"
)

// ucastOf is a condition in UCAST. Under a not, a comparison says that its field is
// there, for whoever turns it into SQL.
func ucastOf(r row, negated bool) map[string]any {
	switch r.op {
	case none:
		return compound("not", ucastOf(r.of[0], true))
	case all, some:
		operator := "and"
		if r.op == some {
			operator = "or"
		}
		var of []any
		for _, part := range r.of {
			of = append(of, ucastOf(part, negated))
		}
		return compound(operator, of...)
	}
	there := field("ne", r.column, nil)
	var test map[string]any
	switch r.op {
	case isThere:
		return there
	case isIn:
		if len(r.values) == 1 {
			test = field("eq", r.column, plain(r.values[0]))
			break
		}
		var values []any
		for _, value := range r.values {
			values = append(values, plain(value))
		}
		test = field("in", r.column, values)
	case compares:
		test = field(ucastOperators[r.cmp], r.column, plain(r.values[0]))
	case startsWith:
		test = field("startswith", r.column, r.values[0])
	case endsWith:
		test = field("endswith", r.column, r.values[0])
	case contains:
		test = field("contains", r.column, r.values[0])
	}
	if negated || r.cmp == "<>" {
		return compound("and", there, test)
	}
	return test
}

var ucastOperators = map[string]string{"<": "lt", "<=": "lte", ">": "gt", ">=": "gte", "<>": "ne"}

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
