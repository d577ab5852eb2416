package native

import (
	"math"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/open-policy-agent/opa/v1/ast"
)

var timeFunctions = map[string]Func{
	ast.AddDate.Name:           {Quaternary: addDate},
	ast.ParseNanos.Name:        {Binary: parseTime},
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
	if result := parsed(time.RFC3339, string(text)); result != nil {
		return result, nil
	}
	return reference(ast.ParseRFC3339Nanos.Name, a)
}

// parseTime is a time that a text names in a form that is written out. OPA knows
// others by their names, and none of those has a year.
func parseTime(form, a *ast.Term) (*ast.Term, error) {
	layout, text, ok := twoStrings(form, a)
	if ok && strings.Contains(layout, "06") {
		if result := parsed(layout, text); result != nil {
			return result, nil
		}
	}
	return reference(ast.ParseNanos.Name, form, a)
}

// parsed is nil where OPA has to be asked, for the error.
func parsed(layout, text string) *ast.Term {
	t, err := time.Parse(layout, text)
	if err != nil {
		return nil
	}
	return nanoseconds(t)
}

// nanoseconds is a time in nanoseconds since 1970; nil where that is, or nearly is,
// beyond 64 bits, for OPA to look at.
func nanoseconds(t time.Time) *ast.Term {
	const most = math.MaxInt64 / int64(time.Second)
	if seconds := t.Unix(); seconds <= -most || seconds >= most {
		return nil
	}
	return number(t.UnixNano())
}

// addDate is a time so many years, months and days later.
func addDate(a, years, months, days *ast.Term) (*ast.Term, error) {
	const most = 100_000 // each, so that nothing overflows
	t, ok := moment(a)
	y, m, areIntegers := integers(years, months)
	d, isInteger := integer(days.Value)
	if ok && areIntegers && isInteger && max(y, m, d) <= most && min(y, m, d) >= -most {
		if result := nanoseconds(t.AddDate(int(y), int(m), int(d))); result != nil {
			return result, nil
		}
	}
	return reference(ast.AddDate.Name, a, years, months, days)
}

// moment is a time that is given in nanoseconds since 1970, in UTC or in a time
// zone: [nanoseconds, zone]. It is false for what is no time, and for what OPA has
// to look at.
func moment(a *ast.Term) (time.Time, bool) {
	since, zone := a.Value, time.UTC
	if pair, ok := since.(*ast.Array); ok {
		if pair.Len() != 2 {
			return time.Time{}, false
		}
		name, ok := pair.Elem(1).Value.(ast.String)
		if !ok {
			return time.Time{}, false
		}
		if zone = zones.find(string(name)); zone == nil {
			return time.Time{}, false
		}
		since = pair.Elem(0).Value
	}
	nanoseconds, ok := integer(since)
	if !ok {
		return time.Time{}, false
	}
	return time.Unix(0, nanoseconds).In(zone), true
}

// zones are time zones that were asked for, which take long to load.
var zones timeZones

type timeZones struct {
	byName sync.Map // of *time.Location
	count  atomic.Int32
}

// maxZones bounds them: a zone can be named in more ways than there are zones.
const maxZones = 1_000

// find is nil for a zone that OPA has to look at: one that there is none of, and
// that of the machine.
func (z *timeZones) find(name string) *time.Location {
	if found, known := z.byName.Load(name); known {
		return found.(*time.Location)
	}
	zone, err := time.LoadLocation(name)
	if err != nil || zone == time.Local {
		return nil
	}
	if z.count.Add(1) <= maxZones {
		z.byName.Store(strings.Clone(name), zone)
	}
	return zone
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
