package plan

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// A writer writes a condition in SQL.
type writer struct {
	dialect    Dialect
	before     int
	text       strings.Builder
	parameters []any
	lists      int
}

func (w *writer) write(parts ...string) {
	for _, part := range parts {
		w.text.WriteString(part)
	}
}

// row writes a condition, in parentheses where it has several parts.
func (w *writer) row(r row) {
	switch r.op {
	case nothing:
		w.write("1 = 0")
	case everything:
		w.write("1 = 1")
	case none:
		w.write("NOT (")
		w.row(r.of[0])
		w.write(")")
	case all, some:
		joint := " AND "
		if r.op == some {
			joint = " OR "
		}
		w.joint(r.of, joint)
	case exists:
		w.exists(r)
	case isThere:
		w.write(w.column(r.column), " IS NOT NULL")
	default:
		// A comparison with NULL is NULL, and so would be what is made of it.
		w.write("(", w.column(r.column), " IS NOT NULL AND ")
		if r.other != nil {
			w.write(w.column(*r.other), " IS NOT NULL AND ")
		}
		w.test(r)
		w.write(")")
	}
}

// joint writes conditions with AND or OR between them, many as halves of halves: a
// chain is as deep as it is long, and SQLite takes a depth of 1,000.
func (w *writer) joint(of []row, joint string) {
	w.write("(")
	if half := len(of) / 2; len(of) > 100 {
		w.joint(of[:half], joint)
		w.write(joint)
		w.joint(of[half:], joint)
	} else {
		for i, part := range of {
			if i > 0 {
				w.write(joint)
			}
			w.row(part)
		}
	}
	w.write(")")
}

// exists writes that there is an element of a list.
func (w *writer) exists(r row) {
	w.lists++
	alias := fmt.Sprintf("verdict_%d", w.lists)
	test := r.of[0]
	test.column.table = alias
	// SQLite compares by the collation of the left, and ids are unique by their own.
	w.write("EXISTS (SELECT 1 FROM ", w.name(r.list.table), " AS ", w.quoted(alias), " WHERE ",
		w.column(r.column), " = ", w.quoted(alias), ".", w.quoted(r.list.key), " AND ")
	w.row(test)
	w.write(")")
}

func (w *writer) test(r row) {
	c := w.column(r.column)
	switch {
	case r.column.typ == booleans:
		w.compared(r, c, w.placeholder)
		return
	case r.column.typ == numbers:
		w.number(r, c)
		return
	case r.column.typ == uuids && r.op == isIn && w.dialect == PostgreSQL:
		w.in(c, r.values, func(value any) string { return w.bind(value, "uuid") })
		return
	}
	if r.op == isIn {
		// For the index. The column's collation may find more than is equal.
		w.in(c, r.values, w.placeholder)
		w.write(" AND ")
	}
	bytes := func(value any) string {
		if w.dialect == PostgreSQL { // the column's collation is that of the comparison
			return w.placeholder(value)
		}
		return w.bytewise(w.placeholder(value))
	}
	if r.op == isIn || r.op == compares {
		w.compared(r, w.bytewise(c), bytes)
		return
	}
	w.part(r.op, w.bytewise(c), func() string { return bytes(r.values[0]) })
}

// number writes a comparison of a number. Where the column holds doubles, PostgreSQL
// and MySQL make doubles of what they compare with: what that would round is compared
// as a decimal, and so is another column, which may hold what it would round.
func (w *writer) number(r row, c string) {
	rounds := r.other != nil || slices.ContainsFunc(r.values, func(value any) bool { return !value.(number).isDouble() })
	if rounds && r.op == isIn && w.dialect != SQLite {
		w.in(c, r.values, w.placeholder) // for the index
		w.write(" AND ")
	}
	if rounds {
		c = w.exact(c)
	}
	w.compared(r, c, w.placeholder)
}

// exact is a number as a decimal, with the digits that the database shows of it.
func (w *writer) exact(number string) string {
	switch w.dialect {
	case PostgreSQL:
		return number + "::text::numeric"
	case MySQL:
		return fmt.Sprintf("CAST(CAST(%s AS CHAR) AS DECIMAL(%d, %d))", number, wholeDigits+fractionDigits, fractionDigits)
	}
	return number
}

// compared writes a comparison with values, each as placeholder writes it.
func (w *writer) compared(r row, c string, placeholder func(any) string) {
	if r.op == isIn {
		w.in(c, r.values, placeholder)
		return
	}
	w.write(c, " ", r.cmp, " ")
	switch {
	case r.other == nil:
		w.write(placeholder(r.values[0]))
	case r.other.isText():
		w.write(w.bytewise(w.column(*r.other)))
	case r.other.typ == numbers:
		w.write(w.exact(w.column(*r.other)))
	default:
		w.write(w.column(*r.other))
	}
}

func (w *writer) in(c string, values []any, placeholder func(any) string) {
	w.write(c)
	if len(values) == 1 {
		w.write(" = ", placeholder(values[0]))
		return
	}
	w.write(" IN (")
	for i, value := range values {
		if i > 0 {
			w.write(", ")
		}
		w.write(placeholder(value))
	}
	w.write(")")
}

// part writes that a text begins, ends or goes on with another, both bytewise. It
// is done without LIKE, in which some letters are patterns.
func (w *writer) part(op rowOp, c string, p func() string) {
	switch {
	case op == contains && w.dialect == PostgreSQL:
		w.write("strpos(", c, ", ", p(), ") > 0")
	case op == contains:
		w.write("instr(", c, ", ", p(), ") > 0")
	case w.dialect == SQLite: // whose substr of an empty BLOB is NULL
		from := "1, "
		if op == endsWith {
			from = "-"
		}
		w.write("ifnull(substr(", c, ", ", from, "length(", p(), ")), 0) = ", p())
	case op == startsWith:
		w.write("left(", c, ", length(", p(), ")) = ", p())
	default:
		w.write("right(", c, ", length(", p(), ")) = ", p())
	}
}

// bytewise is a text as it compares with others byte by byte, as Rego does, whatever
// the collation, the padding and the type of the column.
func (w *writer) bytewise(text string) string {
	switch w.dialect {
	case PostgreSQL:
		return text + `::text COLLATE "C"`
	case MySQL:
		return "CAST(CONVERT(" + text + " USING utf8mb4) AS BINARY)"
	}
	return "CAST(" + text + " AS BLOB)"
}

// placeholder binds a value.
func (w *writer) placeholder(value any) string {
	switch value := value.(type) {
	case bool:
		return w.boolean(value)
	case number:
		return w.bindNumber(value)
	default:
		return w.bind(value, "text")
	}
}

func (w *writer) boolean(value bool) string {
	switch {
	case w.dialect == PostgreSQL && value:
		return "TRUE"
	case w.dialect == PostgreSQL:
		return "FALSE"
	case value:
		return "1"
	}
	return "0"
}

func (w *writer) bindNumber(n number) string {
	switch {
	case n.isWhole:
		return w.bind(n.whole, "bigint")
	case w.dialect == PostgreSQL:
		return w.bind(n.text, "numeric")
	case w.dialect == MySQL:
		return fmt.Sprintf("CAST(%s AS DECIMAL(%d, %d))", w.bind(n.text, ""), wholeDigits+fractionDigits, fractionDigits)
	}
	double, _ := strconv.ParseFloat(n.text, 64)
	return w.bind(double, "")
}

// bind adds a parameter. PostgreSQL is told its type, for it would take that of what
// it is compared with.
func (w *writer) bind(value any, typ string) string {
	w.parameters = append(w.parameters, value)
	if w.dialect != PostgreSQL {
		return "?"
	}
	return "$" + strconv.Itoa(w.before+len(w.parameters)) + "::" + typ
}

// column is a column with its table.
func (w *writer) column(c column) string { return w.name(c.table) + "." + w.quoted(c.name) }

// name is the name of a table, with its schema where it has one.
func (w *writer) name(table string) string {
	parts := strings.Split(table, ".")
	for i, part := range parts {
		parts[i] = w.quoted(part)
	}
	return strings.Join(parts, ".")
}

// quoted is a name that is taken as it is.
func (w *writer) quoted(name string) string {
	quote := `"`
	if w.dialect == MySQL {
		quote = "`"
	}
	return quote + strings.ReplaceAll(name, quote, quote+quote) + quote
}
