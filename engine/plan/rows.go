package plan

import (
	"encoding/json"
	"fmt"
	"math/big"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/verdictpdp/verdict/engine/eval/residual"
)

// A row is a condition on a row. It is true or false, and never NULL.
type row struct {
	op     rowOp
	of     []row   // of all, some and none; the test of an element, of exists
	column column  // of a test; the id, of exists
	values []any   // of isIn: string, number or bool; of the others, one
	cmp    string  // of compares: <, <=, > or >=, or <> for what is there and differs, or =
	other  *column // of compares, with another column in the place of a value
	list   *list   // of exists
}

type rowOp uint8

const (
	nothing rowOp = iota
	everything
	all
	some
	none
	isThere // the column is not NULL
	isIn
	compares
	startsWith
	endsWith
	contains
	exists // an element of a list
)

// A number is one that a filter compares with: a whole number of 64 bits or
// another, as text.
type number struct {
	whole   int64
	isWhole bool
	text    string // in decimal notation
}

// A translator makes conditions on columns of conditions on attributes.
type translator struct {
	typ      string
	mapping  mapping
	dialect  Dialect
	problems []problem
}

func (t *translator) cannot(c *residual.Condition, text string) row {
	t.problems = append(t.problems, problem{c.Place, text})
	return row{op: nothing}
}

// row is a formula as a condition on a row.
func (t *translator) row(f residual.Formula) row {
	switch f.Op {
	case residual.Never:
		return row{op: nothing}
	case residual.Always:
		return row{op: everything}
	case residual.Holds:
		return t.condition(f.Condition)
	case residual.None:
		return negated(t.row(f.Of[0]))
	}
	var of []row
	for _, part := range f.Of {
		of = append(of, t.row(part))
	}
	if f.Op == residual.All {
		return joined(all, everything, nothing, of)
	}
	return joined(some, nothing, everything, of)
}

func negated(r row) row {
	switch r.op {
	case nothing:
		return row{op: everything}
	case everything:
		return row{op: nothing}
	}
	return row{op: none, of: []row{r}}
}

func joined(op, neutral, absorbing rowOp, of []row) row {
	of = slices.DeleteFunc(of, func(r row) bool { return r.op == neutral })
	if slices.ContainsFunc(of, func(r row) bool { return r.op == absorbing }) {
		return row{op: absorbing}
	}
	switch len(of) {
	case 0:
		return row{op: neutral}
	case 1:
		return of[0]
	}
	return row{op: op, of: of}
}

// condition is a condition of the vocabulary.
func (t *translator) condition(c *residual.Condition) row {
	switch c.Op {
	case residual.IDIn:
		return t.id(c, c.Values)
	case residual.Ancestor:
		return t.ancestor(c)
	case residual.AncestorStartsWith:
		if t.mapping.ancestors == nil {
			return t.cannot(c, t.lacks("ancestors", "the ancestors"))
		}
		above := t.element(c, t.mapping.ancestors, residual.StartsWith)
		prefix, _ := c.Values[0].(string)
		if id, isOwn := strings.CutPrefix(prefix, t.typ+":"); isOwn {
			itself := *c
			itself.Values = []any{id}
			return joined(some, nothing, everything, []row{t.test(&itself, residual.StartsWith, t.mapping.id), above})
		}
		return above
	case residual.Parent:
		if t.mapping.parents == nil {
			return t.cannot(c, t.lacks("parents", "the parents"))
		}
		return t.element(c, t.mapping.parents, residual.In)
	case residual.GrantOn:
		return t.cannot(c, "it asks for grants that resources hold: a filter knows of attributes, parents and ancestors alone")
	case residual.Unrecognised:
		return t.cannot(c, c.Why)
	}
	to, known := t.attribute(c, c.Path)
	if !known {
		return row{op: nothing}
	}
	if c.Op == residual.Both {
		return t.both(c, to)
	}
	if to.list != nil {
		return t.list(c, to.list)
	}
	if c.Op == residual.Has {
		return row{op: nothing} // a column has no elements
	}
	return t.test(c, c.Op, to.column)
}

// attribute is where rows have an attribute, or a problem.
func (t *translator) attribute(c *residual.Condition, path []string) (to mapped, known bool) {
	name := strings.Join(path, ".")
	if slices.ContainsFunc(path, func(part string) bool { return strings.Contains(part, ".") }) {
		t.cannot(c, "it reads an attribute with a dot in its name, "+strconv.Quote(name)+", which looks like one in another: give it a name without")
		return mapped{}, false
	}
	if to, known = t.mapping.columns[name]; !known {
		t.cannot(c, t.lacks("columns."+name, "attributes."+name))
	}
	return to, known
}

// both is a comparison of an attribute with another.
func (t *translator) both(c *residual.Condition, left mapped) row {
	right, known := t.attribute(c, c.Other)
	if !known {
		return row{op: nothing}
	}
	if left.list != nil || right.list != nil {
		return t.cannot(c, "it compares a list with another attribute: ask for an element")
	}
	for _, of := range []column{left.column, right.column} {
		if of.place != "" {
			return t.cannot(c, of.untyped("another attribute"))
		}
	}
	there := row{op: all, of: []row{{op: isThere, column: left.column}, {op: isThere, column: right.column}}}
	l, r := ranks[left.column.typ], ranks[right.column.typ]
	switch {
	case l == r && t.dialect == UCAST:
		return t.cannot(c, "not all that run UCAST compare a field with another: ask for SQL")
	case l == r:
		return row{op: compares, column: left.column, cmp: operators[c.How], other: &right.column}
	case c.How == residual.NotEqual, c.How != residual.In && (l < r) == (c.How == residual.Less || c.How == residual.LessOrEqual):
		return there // all values of a type come before all of the next
	}
	return row{op: nothing}
}

// operators are those of SQL.
var operators = map[residual.Op]string{
	residual.In: "=", residual.NotEqual: "<>", residual.Less: "<", residual.LessOrEqual: "<=", residual.Greater: ">", residual.GreaterOrEqual: ">=",
}

func (t *translator) lacks(member, what string) string {
	return "it reads " + what + ", and data.verdict.plan." + t.typ + "." + member + " does not say where rows have them: add it"
}

// id is a condition on the id.
func (t *translator) id(c *residual.Condition, ids []any) row {
	if t.mapping.id.isText() {
		return t.isIn(c, t.mapping.id, ids)
	}
	var whole []any
	for _, id := range ids {
		text, _ := id.(string)
		if n, err := strconv.ParseInt(text, 10, 64); err == nil && strconv.FormatInt(n, 10) == text {
			whole = append(whole, json.Number(text))
		}
	}
	return t.isIn(c, t.mapping.id, whole)
}

// ancestor is when one of the refs is the entity or above it.
func (t *translator) ancestor(c *residual.Condition) row {
	var own []any
	for _, value := range c.Values {
		if ref, isText := value.(string); isText {
			if id, isOwn := strings.CutPrefix(ref, t.typ+":"); isOwn {
				own = append(own, id)
			}
		}
	}
	itself := t.id(c, own)
	if t.mapping.ancestors == nil {
		return t.cannot(c, t.lacks("ancestors", "the ancestors"))
	}
	return joined(some, nothing, everything, []row{itself, t.element(c, t.mapping.ancestors, residual.In)})
}

// element is when an element of a list passes a test.
func (t *translator) element(c *residual.Condition, of *list, op residual.Op) row {
	test := t.test(c, op, of.element)
	if test.op == nothing {
		return test
	}
	if t.dialect == UCAST {
		return t.cannot(c, "UCAST has no lists: ask for SQL")
	}
	return row{op: exists, list: of, column: t.mapping.id, of: []row{test}}
}

// list is a condition on an attribute that is a list, which is there for every row.
func (t *translator) list(c *residual.Condition, of *list) row {
	holds := false
	switch c.Op {
	case residual.Has:
		return t.element(c, of, residual.In)
	case residual.Defined, residual.NotEqual, residual.Greater, residual.GreaterOrEqual: // a list comes after every scalar
		holds = true
	case residual.Is:
		holds = c.Values[0] == "array"
	case residual.StartsWith, residual.EndsWith, residual.Contains:
		return t.cannot(c, "it takes a list for a string, at which the policy fails: mind the column")
	}
	if holds {
		return row{op: everything}
	}
	return row{op: nothing}
}

// rank is the place of a type in Rego's order of values.
func rank(value any) int {
	switch value.(type) {
	case nil:
		return 0
	case bool:
		return 1
	case json.Number:
		return 2
	}
	return 3
}

var ranks = map[columnType]int{booleans: 1, numbers: 2, texts: 3, uuids: 3}

// test is a condition on a column.
func (t *translator) test(c *residual.Condition, op residual.Op, of column) row {
	there := row{op: isThere, column: of}
	if kind := otherThanText(op, c.Values); of.place != "" && kind != "" {
		return t.cannot(c, of.untyped("a "+kind))
	}
	switch op {
	case residual.In:
		return t.isIn(c, of, c.Values)
	case residual.Defined:
		return there
	case residual.Is:
		if c.Values[0] == string(of.typ) || c.Values[0] == string(texts) && of.isText() {
			return there
		}
		return row{op: nothing}
	case residual.StartsWith, residual.EndsWith, residual.Contains:
		if !of.isText() {
			return t.cannot(c, "it takes a "+string(of.typ)+" for a string, at which the policy fails: mind the type of column "+of.name)
		}
		part, fits := t.bound(c, c.Values[0])
		if !fits {
			return row{op: nothing}
		}
		if part == "" {
			return there
		}
		ops := map[residual.Op]rowOp{residual.StartsWith: startsWith, residual.EndsWith: endsWith, residual.Contains: contains}
		return row{op: ops[op], column: of, values: []any{part}}
	}
	value := c.Values[0]
	if rank(value) != ranks[of.typ] { // all values of a type come before all of the next
		less := ranks[of.typ] < rank(value)
		if op == residual.NotEqual || less == (op == residual.Less || op == residual.LessOrEqual) {
			return there
		}
		return row{op: nothing}
	}
	if of.typ == booleans {
		return t.isIn(c, of, booleansThat(op, value.(bool)))
	}
	bound, fits := t.bound(c, value)
	if !fits {
		return row{op: nothing}
	}
	if t.dialect == UCAST && of.isText() && op != residual.NotEqual {
		return t.cannot(c, "in UCAST there is an order of numbers alone: ask for SQL")
	}
	return row{op: compares, column: of, cmp: operators[op], values: []any{bound}}
}

// untyped says that a column is compared whose type the mapping does not say.
func (c column) untyped(with string) string {
	return fmt.Sprintf(`it compares with %s, and %s does not say of which type the column is: write {"column": %q, "type": "…"}`, with, c.place, c.name)
}

// otherThanText is what a test takes a column for that is other than a text; null,
// which no column has, is nothing else.
func otherThanText(op residual.Op, values []any) (kind string) {
	if op == residual.Is {
		return "type"
	}
	for _, value := range values {
		switch value.(type) {
		case bool:
			return "boolean"
		case json.Number:
			return "number"
		}
	}
	return ""
}

// booleansThat compare so with a boolean: false comes before true.
func booleansThat(op residual.Op, with bool) (fit []any) {
	order := map[bool]int{true: 1}
	for _, b := range []bool{false, true} {
		difference := order[b] - order[with]
		if op == residual.NotEqual && difference != 0 || op == residual.Less && difference < 0 || op == residual.LessOrEqual && difference <= 0 ||
			op == residual.Greater && difference > 0 || op == residual.GreaterOrEqual && difference >= 0 {
			fit = append(fit, b)
		}
	}
	return fit
}

// isIn is when a column has one of the values. Those of another type it never has.
func (t *translator) isIn(c *residual.Condition, of column, values []any) row {
	var fit []any
	for _, value := range values {
		if value == nil || rank(value) != ranks[of.typ] || of.typ == uuids && t.dialect == PostgreSQL && !uuid.MatchString(value.(string)) {
			continue
		}
		if bound, fits := t.bound(c, value); fits {
			fit = append(fit, bound)
		}
	}
	switch {
	case len(fit) == 0:
		return row{op: nothing}
	case of.typ == booleans && slices.Contains(fit, any(true)) && slices.Contains(fit, any(false)):
		return row{op: isThere, column: of}
	}
	return row{op: isIn, column: of, values: fit}
}

// uuid is how PostgreSQL writes one, and so the directory has it.
var uuid = regexp.MustCompile(`^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$`)

// bound is a value that can be bound to a placeholder, or a problem.
func (t *translator) bound(c *residual.Condition, value any) (bound any, fits bool) {
	switch value := value.(type) {
	case bool:
		return value, true
	case string:
		if strings.ContainsRune(value, 0) || !utf8.ValidString(value) {
			t.cannot(c, "it compares with a text that databases do not take: one with a NUL, or not in UTF-8")
			return nil, false
		}
		return value, true
	case json.Number:
		if n, fits := numberOf(string(value)); fits && t.takes(n) {
			return n, true
		}
		t.cannot(c, "it compares with the number "+string(value)+", which "+string(t.dialect)+" would round")
	}
	return nil, false
}

// The digits of numbers that are compared, before and after the point. MySQL's
// DECIMAL has no more.
const (
	wholeDigits    = 35
	fractionDigits = 30
)

// numberOf is a number in decimal notation.
func numberOf(text string) (n number, fits bool) {
	if mantissa, exponent, scientific := strings.Cut(strings.ToLower(text), "e"); scientific {
		if size, err := strconv.Atoi(exponent); err != nil || size > 400 || size < -400 || len(mantissa) > 400 {
			return number{}, false
		}
	}
	r, valid := new(big.Rat).SetString(text)
	if !valid {
		return number{}, false
	}
	if r.IsInt() && r.Num().IsInt64() {
		return number{whole: r.Num().Int64(), isWhole: true, text: r.Num().String()}, true
	}
	decimal := strings.TrimRight(r.FloatString(fractionDigits), "0")
	decimal = strings.TrimSuffix(decimal, ".")
	back, _ := new(big.Rat).SetString(decimal)
	whole, _, _ := strings.Cut(strings.TrimPrefix(decimal, "-"), ".")
	return number{text: decimal}, back.Cmp(r) == 0 && len(whole) <= wholeDigits
}

// takes reports whether the dialect compares with a number exactly: SQLite and
// UCAST have doubles beside whole numbers.
func (t *translator) takes(n number) bool {
	const exactly = 1 << 53 // JSON's readers have doubles for whole numbers, too
	if n.isWhole {
		return t.dialect != UCAST || -exactly <= n.whole && n.whole <= exactly
	}
	if t.dialect == PostgreSQL || t.dialect == MySQL {
		return true
	}
	return n.isDouble()
}

// isDouble reports whether the number is the one that is shown of the nearest
// double.
func (n number) isDouble() bool {
	double, err := strconv.ParseFloat(n.text, 64)
	if err != nil {
		return false
	}
	shortest, _ := new(big.Rat).SetString(strconv.FormatFloat(double, 'f', -1, 64))
	exact, _ := new(big.Rat).SetString(n.text)
	return shortest.Cmp(exact) == 0
}
