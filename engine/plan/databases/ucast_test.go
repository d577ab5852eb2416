package databases

import (
	"encoding/json"
	"math/big"
	"slices"
	"strings"
	"testing"

	"github.com/verdictpdp/verdict/engine/plan"
)

// A truth is false, unknown or true, as in SQL.
type truth int

const (
	no truth = iota - 1
	unknown
	yes
)

func truthOf(holds bool) truth {
	if holds {
		return yes
	}
	return no
}

// An interpreter says what a comparison with a field that is NULL is: those that
// write SQL leave it unknown, and JavaScript takes null for 0.
type interpreter struct {
	name string
	null func(operator string, value any) truth
}

var interpreters = []interpreter{
	{"as SQL", func(string, any) truth { return unknown }},
	{"as JavaScript", func(operator string, value any) truth {
		number, isNumber := value.(json.Number)
		switch operator {
		case "eq", "in", "startswith", "endswith", "contains":
			return no
		case "ne", "nin":
			return yes
		}
		return truthOf(isNumber && compares(operator, json.Number("0"), number))
	}},
}

// rowsOfUCAST are the ids of the documents that a plan in UCAST takes in.
func (i interpreter) rowsOfUCAST(t testing.TB, p plan.Plan, all []doc) (ids []string) {
	t.Helper()
	for _, d := range all {
		takes := truthOf(p.Effect == plan.Always)
		if p.Effect == plan.Conditional {
			text, err := json.Marshal(p.UCAST)
			if err != nil {
				t.Fatal(err)
			}
			var condition map[string]any
			decoder := json.NewDecoder(strings.NewReader(string(text)))
			decoder.UseNumber()
			if err := decoder.Decode(&condition); err != nil {
				t.Fatal(err)
			}
			takes = i.holds(t, condition, d)
		}
		if takes == yes {
			ids = append(ids, d.id)
		}
	}
	slices.Sort(ids)
	return ids
}

func (i interpreter) holds(t testing.TB, condition map[string]any, d doc) truth {
	operator := condition["operator"].(string)
	if condition["type"] == "compound" {
		var parts []truth
		for _, part := range condition["value"].([]any) {
			parts = append(parts, i.holds(t, part.(map[string]any), d))
		}
		switch operator {
		case "and":
			return slices.Min(parts)
		case "or":
			return slices.Max(parts)
		case "not":
			return -parts[0]
		}
		t.Fatalf("an operator %s", operator)
	}
	have, value := d.columns(t, condition["field"].(string)), condition["value"]
	switch {
	case value == nil:
		return truthOf((have == nil) == (operator == "eq"))
	case have == nil:
		return i.null(operator, value)
	}
	isIn := func() bool {
		return slices.ContainsFunc(value.([]any), func(v any) bool { return compares("eq", have, v) })
	}
	text, _ := have.(string)
	part, _ := value.(string)
	switch operator {
	case "in":
		return truthOf(isIn())
	case "nin":
		return truthOf(!isIn())
	case "startswith":
		return truthOf(strings.HasPrefix(text, part))
	case "endswith":
		return truthOf(strings.HasSuffix(text, part))
	case "contains":
		return truthOf(strings.Contains(text, part))
	}
	return truthOf(compares(operator, have, value))
}

// columns is what a field of a row has, nil for NULL.
func (d doc) columns(t testing.TB, field string) any {
	t.Helper()
	switch strings.TrimPrefix(field, `the "docs".`) {
	case "id":
		return d.id
	case "owner'ref":
		return value(d.owner)
	case "title":
		return value(d.title)
	case "city":
		return value(d.city)
	case "key":
		return value(d.key)
	case "pages":
		return value(d.pages)
	case "score":
		return value(d.score)
	case "select":
		return value(d.open)
	}
	t.Fatalf("a field %s", field)
	return nil
}

func value[T any](at *T) any {
	if at == nil {
		return nil
	}
	return *at
}

func compares(operator string, left, right any) bool {
	order := 1 // of what is not equal
	l, isNumber := left.(json.Number)
	r, areNumbers := right.(json.Number)
	if isNumber && areNumbers {
		a, _ := new(big.Rat).SetString(l.String())
		b, _ := new(big.Rat).SetString(r.String())
		order = a.Cmp(b)
	} else if left == right {
		order = 0
	}
	switch operator {
	case "eq":
		return order == 0
	case "ne":
		return order != 0
	case "lt":
		return order < 0
	case "lte":
		return order <= 0
	case "gt":
		return order > 0
	}
	return order >= 0
}
