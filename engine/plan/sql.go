package plan

import (
	"fmt"
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
		w.write("(")
		for i, part := range r.of {
			if i > 0 {
				w.write(joint)
			}
			w.row(part)
		}
		w.write(")")
	case exists:
		w.exists(r)
	case isThere:
		w.write(w.column(r.column), " IS NOT NULL")
	default:
		// A comparison with NULL is NULL, and so would be what is made of it.
		w.write("(", w.column(r.column), " IS NOT NULL AND ")
		w.test(r)
		w.write(")")
	}
}

// exists writes that there is an element of a list.
func (w *writer) exists(r row) {
	w.lists++
	alias := fmt.Sprintf("verdict_%d", w.lists)
	test := r.of[0]
	test.column.table = alias
	w.write("EXISTS (SELECT 1 FROM ", w.name(r.list.table), " AS ", w.quoted(alias), " WHERE ",
		w.quoted(alias), ".", w.quoted(r.list.key), " = ", w.column(r.column), " AND ")
	w.row(test)
	w.write(")")
}

func (w *writer) test(r row) {
	c := w.column(r.column)
	switch r.op {
	case isIn:
		if r.column.typ == texts && w.dialect != SQLite {
			// For the index. The column's collation may find more than is equal.
			w.in(c, r.values)
			w.write(" AND ")
		}
		w.in(w.bytewise(r.column, c), r.values)
	case compares:
		w.write(w.bytewise(r.column, c), " ", r.cmp, " ", w.placeholder(r.values[0]))
	default:
		w.part(r, w.bytewise(r.column, c))
	}
}

func (w *writer) in(c string, values []any) {
	w.write(c)
	if len(values) == 1 {
		w.write(" = ", w.placeholder(values[0]))
		return
	}
	w.write(" IN (")
	for i, value := range values {
		if i > 0 {
			w.write(", ")
		}
		w.write(w.placeholder(value))
	}
	w.write(")")
}

// part writes that a text begins, ends or goes on with another. It is done without
// LIKE, in which some letters are patterns.
func (w *writer) part(r row, c string) {
	value := r.values[0]
	p := func() string { return w.placeholder(value) }
	switch w.dialect {
	case PostgreSQL:
		switch r.op {
		case startsWith:
			w.write("left(", c, ", length(", p(), ")) = ", p())
		case endsWith:
			w.write("right(", c, ", length(", p(), ")) = ", p())
		default:
			w.write("strpos(", c, ", ", p(), ") > 0")
		}
	case MySQL:
		switch r.op {
		case startsWith:
			w.write("LEFT(", c, ", CHAR_LENGTH(", p(), ")) = ", p())
		case endsWith:
			w.write("RIGHT(", c, ", CHAR_LENGTH(", p(), ")) = ", p())
		default:
			w.write("LOCATE(", p(), ", ", c, ") > 0")
		}
	default:
		plain := w.column(r.column)
		switch r.op {
		case startsWith:
			w.write("substr(", plain, ", 1, length(", p(), ")) COLLATE BINARY = ", p())
		case endsWith:
			w.write("substr(", plain, ", -length(", p(), ")) COLLATE BINARY = ", p())
		default:
			w.write("instr(", plain, ", ", p(), ") > 0")
		}
	}
}

// bytewise is a column of texts as it compares with others byte by byte, as Rego
// does, whatever its collation.
func (w *writer) bytewise(of column, c string) string {
	if of.typ != texts {
		return c
	}
	switch w.dialect {
	case PostgreSQL:
		return c + `::text COLLATE "C"`
	case MySQL:
		return "CONVERT(" + c + " USING utf8mb4) COLLATE utf8mb4_0900_bin"
	}
	return c + " COLLATE BINARY"
}

// placeholder binds a value.
func (w *writer) placeholder(value any) string {
	switch value := value.(type) {
	case bool:
		return w.boolean(value)
	case number:
		return w.number(value)
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

func (w *writer) number(n number) string {
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
