package native

import (
	"math"
	"time"

	"github.com/open-policy-agent/opa/v1/ast"
)

var timeFunctions = map[string]Func{
	ast.ParseRFC3339Nanos.Name: {Unary: parseRFC3339},
	ast.Date.Name:              {Unary: date},
	ast.Clock.Name:             {Unary: clock},
	ast.Weekday.Name:           {Unary: weekday},
}

// parseRFC3339 is a time, in nanoseconds since 1970, that a text such as
// "2024-02-29T12:34:56Z" names. Reading the plain form by hand instead would save
// a tenth: most of the time goes into the term.
func parseRFC3339(a *ast.Term) (*ast.Term, error) {
	text, ok := a.Value.(ast.String)
	if !ok {
		return reference(ast.ParseRFC3339Nanos.Name, a)
	}
	t, err := time.Parse(time.RFC3339, string(text))
	if err != nil {
		return reference(ast.ParseRFC3339Nanos.Name, a)
	}
	const most = math.MaxInt64 / int64(time.Second)
	if seconds := t.Unix(); seconds <= -most || seconds >= most {
		return reference(ast.ParseRFC3339Nanos.Name, a)
	}
	return number(t.UnixNano()), nil
}

// moment is a time in UTC that is given in nanoseconds since 1970. It is false
// for one with a time zone and for what is no time.
func moment(a *ast.Term) (time.Time, bool) {
	nanoseconds, ok := integer(a.Value)
	if !ok {
		return time.Time{}, false
	}
	return time.Unix(0, nanoseconds).UTC(), true
}

func date(a *ast.Term) (*ast.Term, error) {
	t, ok := moment(a)
	if !ok {
		return reference(ast.Date.Name, a)
	}
	year, month, day := t.Date()
	return ast.ArrayTerm(ast.IntNumberTerm(year), ast.IntNumberTerm(int(month)), ast.IntNumberTerm(day)), nil
}

func clock(a *ast.Term) (*ast.Term, error) {
	t, ok := moment(a)
	if !ok {
		return reference(ast.Clock.Name, a)
	}
	hour, minute, second := t.Clock()
	return ast.ArrayTerm(ast.IntNumberTerm(hour), ast.IntNumberTerm(minute), ast.IntNumberTerm(second)), nil
}

var weekdays = [...]*ast.Term{
	time.Sunday:    ast.StringTerm("Sunday"),
	time.Monday:    ast.StringTerm("Monday"),
	time.Tuesday:   ast.StringTerm("Tuesday"),
	time.Wednesday: ast.StringTerm("Wednesday"),
	time.Thursday:  ast.StringTerm("Thursday"),
	time.Friday:    ast.StringTerm("Friday"),
	time.Saturday:  ast.StringTerm("Saturday"),
}

func weekday(a *ast.Term) (*ast.Term, error) {
	t, ok := moment(a)
	if !ok {
		return reference(ast.Weekday.Name, a)
	}
	return weekdays[t.Weekday()], nil
}
