// Package plan writes the condition that is left of a decision as a filter of rows:
// "which records may this subject read", for the database that has the records.
//
// A filter takes in those rows, and no others, for which the decision allows where
// the directory holds what the row holds. What cannot be written so is an error
// that names the place in the policy; there is no wider filter. The mapping says
// where rows keep what the directory calls attributes, and of which type: it takes
// the columns to hold nothing else, so that what a built-in makes of a value of
// another type, which denies, does not come up. A column that is NULL is an
// attribute that the entity does not have.
//
// OPA's own compiler of filters, v1/rego/compile, is not used: it writes values into
// the text of the SQL, lets NULL decide what is under a not, compares strings by the
// collations of the columns, and knows neither ancestors nor lists.
//
// The package knows no database and no wire form. Start with Of; a formula becomes
// conditions on columns in rows.go, and those SQL in sql.go and UCAST in ucast.go.
package plan

import (
	"slices"
	"strings"

	"github.com/verdictpdp/verdict/api/authz"
	"github.com/verdictpdp/verdict/engine/eval/residual"
)

// Dialect is what a filter is written in.
type Dialect string

// The dialects.
const (
	UCAST      Dialect = "ucast"
	PostgreSQL Dialect = "postgresql"
	MySQL      Dialect = "mysql"
	SQLite     Dialect = "sqlite"
)

// Dialects are all there are.
func Dialects() []Dialect { return []Dialect{UCAST, PostgreSQL, MySQL, SQLite} }

// ParseDialect finds a dialect by its name. The error is of kind Invalid.
func ParseDialect(name string) (Dialect, error) {
	if d := Dialect(name); slices.Contains(Dialects(), d) {
		return d, nil
	}
	var names []string
	for _, d := range Dialects() {
		names = append(names, string(d))
	}
	return "", authz.InvalidField("dialect", "%s is none: expected %s", authz.Quote(name), strings.Join(names, ", "))
}

// Effect is which rows a plan takes in.
type Effect string

// Which rows a plan takes in.
const (
	Never       Effect = "never"
	Always      Effect = "always"
	Conditional Effect = "conditional"
)

// A Plan is which rows a subject may do an action on. Its JSON is the same for all
// that answer with it.
type Plan struct {
	Effect Effect `json:"effect"`
	// SQL is the filter of a Conditional plan, unless it is in UCAST.
	SQL *SQL `json:"sql,omitempty"`
	// UCAST is the filter in the JSON that OPA's compile API answers.
	UCAST map[string]any `json:"ucast,omitempty"`
	// Condition is the condition for people, in terms of the directory.
	Condition string `json:"condition"`
}

// An SQL is a condition for a WHERE clause.
type SQL struct {
	// Where is true or false for every row, with a placeholder for every value.
	Where string `json:"where"`
	// Parameters are the values in the order of the placeholders: string, int64
	// or float64. There may be none, and it is not nil.
	Parameters []any `json:"parameters"`
	// Table is the table of the rows, as the mapping names it.
	Table string `json:"table"`
}

// MaxBefore bounds Options.Before: no database takes more parameters.
const MaxBefore = 65_535

// maxParameters is how many parameters a statement may have, SQLite's unless it is
// built otherwise.
var maxParameters = map[Dialect]int{PostgreSQL: 65_535, MySQL: 65_535, SQLite: 32_766}

// Options say what a filter is written in.
type Options struct {
	Dialect Dialect
	// Before is how many parameters of the caller's statement come before the
	// filter's, which moves the numbers of PostgreSQL's placeholders.
	Before int
}

// Of writes what is left of a decision about resources of a type. The mapping is
// data.verdict.plan.TYPE of the bundle, nil where there is none.
//
// Errors are of kind Invalid for options, and otherwise FailedPrecondition: they
// name each place in the policy and what to change, or what the mapping lacks.
func Of(left residual.Residual, typ string, mapping any, o Options) (Plan, error) {
	if _, err := ParseDialect(string(o.Dialect)); err != nil {
		return Plan{}, err
	}
	if o.Before < 0 || o.Before > MaxBefore {
		return Plan{}, authz.InvalidField("parameters_before", "%d: expected 0 to %d", o.Before, MaxBefore)
	}
	if left.Always || left.Where.Op == residual.Never && len(left.Unexpressed) == 0 {
		return fixed(left.Always), nil
	}
	if problems := unwritable(left); len(problems) > 0 {
		return Plan{}, cannot(problems)
	}
	m, err := readMapping(typ, mapping)
	if err != nil {
		return Plan{}, err
	}
	t := &translator{typ: typ, mapping: m, dialect: o.Dialect}
	condition := t.row(left.Where)
	if len(t.problems) > 0 {
		return Plan{}, cannot(t.problems)
	}
	if condition.op == nothing || condition.op == everything {
		return fixed(condition.op == everything), nil
	}
	plan := Plan{Effect: Conditional, Condition: left.Where.String()}
	if o.Dialect == UCAST {
		plan.UCAST = ucastOf(condition, false)
		return plan, nil
	}
	w := &writer{dialect: o.Dialect, before: o.Before, parameters: []any{}}
	w.row(condition)
	if count, most := o.Before+len(w.parameters), maxParameters[o.Dialect]; count > most {
		return Plan{}, authz.Errorf(authz.FailedPrecondition, "the filter takes %d parameters, and %s no more than %d: let the directory say with fewer values what is allowed, such as by a department in the place of its members", count, o.Dialect, most)
	}
	plan.SQL = &SQL{Where: w.text.String(), Parameters: w.parameters, Table: m.table}
	return plan, nil
}

func fixed(always bool) Plan {
	if always {
		return Plan{Effect: Always, Condition: string(Always)}
	}
	return Plan{Effect: Never, Condition: string(Never)}
}

// A problem is why a filter cannot be written.
type problem struct{ place, text string }

// unwritable is what in a policy could not be made a condition.
func unwritable(left residual.Residual) (problems []problem) {
	for _, c := range left.Where.Unrecognised() {
		problems = append(problems, problem{c.Place, c.Why + ": compare an attribute of the resource with what is known of the request, or let the directory keep the answer as an attribute"})
	}
	if len(problems) == 0 && left.Where.Op == residual.Never {
		for _, reason := range left.Unexpressed {
			problems = append(problems, problem{reason.Place, reason.Why})
		}
	}
	return problems
}

// maxShown is how many problems an error names.
const maxShown = 8

func cannot(problems []problem) error {
	var lines []string
	for _, p := range problems {
		line := p.text
		if p.place != "" {
			line = p.place + ": " + line
		}
		if !slices.Contains(lines, line) {
			lines = append(lines, line)
		}
	}
	if len(lines) > maxShown {
		lines = append(lines[:maxShown], "and more")
	}
	return authz.Errorf(authz.FailedPrecondition, "the decision cannot be written as a filter: %s", strings.Join(lines, "; "))
}
