package native_test

import (
	"math/rand/v2"
	"strconv"
	"strings"
	"time"

	"github.com/open-policy-agent/opa/v1/ast"
)

// A generator makes operands: of every type, at the edges more often than
// anywhere else, and out of few enough atoms that two are often equal.
type generator struct{ *rand.Rand }

func newGenerator(seed uint64) generator { return generator{rand.New(rand.NewPCG(seed, 3))} }

var edgeNumbers = []string{
	"0", "-0", "0.0", "-0.0", "0e0", "1", "1.0", "1e0", "1.", "+1", "01", "-1", "-1.0", "2", "3", "7", "-7", "10", "1e1",
	"64", "512", "513", "1e3", "1000", "0.1", "0.10", "-0.5", "0.5", "1.5", "2.5", "-2.5", "15.9", "-15.9",
	"2147483647", "2147483648", "-2147483648", "-2147483649", "4294967296",
	"86400000000000", "1700000000000000000", "999999999999999999", "1000000000000000000",
	"9007199254740992", "9007199254740993", "9007199254740992.0", "-9007199254740993", "9.007199254740993e15",
	"9223372036854775807", "9223372036854775808", "-9223372036854775808", "-9223372036854775809", "9223372036854775807.0",
	"9999999999999999999", "-9999999999999999999", "18446744073709551615", "18446744073709551616", "18446744073709551617",
	"123456789012345678901234567890", "-123456789012345678901234567890", "123456789012345678901234567891",
	"1e19", "1e30", "1E+5", "1e-5", "1e308", "1e400", "10e399", "-1e400", "1e-400", "1.23e-7", "123456.789e3",
}

var edgeStrings = []string{
	"", "a", "b", "ab", "abc", "A", "Abc", "aBC", " ", "  a b ", "\tx\n", "/", "a/b/c", "//", "user:alice", "user:bob", "user:",
	"é", "É", "日本語", "日本", "本", "a日b", "😀", "ß", "İ", "\xff", "a\xffb", "\ufffd", "%", "%d", "%s", "%v and %v", "null", "string",
	"0", "1", "-1", "+1", "007", "1.5", "1e3", "0x10", "inf", "+Inf", "NaN", "abc1", "9223372036854775808", "1_000", "0x_1p4", "1e400",
	"2024-02-29T12:34:56Z", "2023-02-29T12:34:56Z", "2024-02-29T12:34:56.123456789Z", "2024-02-29T12:34:56+02:00",
	"2024-02-29T12:34:56,5-07:30", "2024-02-29t12:34:56z", "2024-02-29 12:34:56Z", "2024-2-29T12:34:56Z", "2024-02-29T24:00:00Z",
	"2262-04-11T23:47:16.854775807Z", "2262-04-11T23:47:16.854775808Z", "1677-09-21T00:12:43.145224192Z", "1677-09-21T00:12:43.145224191Z",
	"0000-01-01T00:00:00Z", "9999-12-31T23:59:59Z", "2024-02-29T12:34:56", "2024-02-29T12:34:60Z", "2024-02-29T2:34:56Z",
	"2024-02-29T12:34:56+25:00", "2024-02-29T12:34:56Z ", "2006-01-02", "1970-01-01T00:00:00Z",
}

func pick[T any](g generator, from []T) T { return from[g.IntN(len(from))] }

func (g generator) number() ast.Value {
	switch g.IntN(8) {
	case 0:
		return ast.Number(strconv.FormatInt(int64(g.Uint64()), 10))
	case 1:
		return ast.Number(strconv.FormatInt(int64(g.Uint64())>>g.IntN(64), 10))
	case 2, 3:
		return ast.Number(strconv.Itoa(g.IntN(12) - 2))
	}
	return ast.Number(pick(g, edgeNumbers))
}

func (g generator) text() ast.Value {
	switch g.IntN(4) {
	case 0:
		var b strings.Builder
		for range g.IntN(6) {
			b.WriteString(pick(g, []string{"a", "b", "/", ":", "é", "本", " ", "ab"}))
		}
		return ast.String(b.String())
	case 1:
		return ast.String(pick(g, []string{"a", "b", "c", "ab", "/"}))
	}
	return ast.String(pick(g, edgeStrings))
}

func (g generator) scalar() ast.Value {
	switch g.IntN(10) {
	case 0:
		return ast.Null{}
	case 1:
		return ast.Boolean(g.IntN(2) == 0)
	case 2, 3, 4, 5:
		return g.number()
	}
	return g.text()
}

// A kind of operand is what makes one.
type kind func(g generator, depth int) ast.Value

func anyValue(g generator, depth int) ast.Value {
	if depth == 0 {
		return g.scalar()
	}
	switch g.IntN(8) {
	case 0, 1:
		return arrayOf(anyValue)(g, depth)
	case 2, 3:
		return setOf(anyValue)(g, depth)
	case 4, 5:
		return object(g, depth)
	}
	return g.scalar()
}

func aNumber(g generator, _ int) ast.Value { return g.number() }

func aString(g generator, _ int) ast.Value { return g.text() }

// fewStrings are so few that sets of them overlap.
func fewStrings(g generator, _ int) ast.Value { return ast.String('a' + rune(g.IntN(8))) }

func aBoolean(g generator, depth int) ast.Value {
	if g.IntN(8) == 0 {
		return anyValue(g, depth)
	}
	return ast.Boolean(g.IntN(3) > 0)
}

// numberText is a string that spells a number.
func numberText(g generator, _ int) ast.Value { return ast.String(g.number().(ast.Number)) }

// aFormat is one for sprintf.
func aFormat(g generator, _ int) ast.Value {
	var b strings.Builder
	for range g.IntN(8) {
		b.WriteString(pick(g, []string{"%s", "%v", "%d", "%v", "a", "é", " is ", "%%", "%5d", "%q", "%.2f", "%", "%[1]v", "%!", "%é"}))
	}
	return ast.String(b.String())
}

// aLayout is a form of a time, written out or by a name that OPA knows.
func aLayout(g generator, _ int) ast.Value {
	return ast.String(pick(g, []string{time.DateOnly, time.RFC3339, time.RFC3339Nano, time.RFC822, "RFC3339", "RFC822", "ANSIC", "UnixDate", "2006", "06", "Z"}))
}

// aMoment is near to [nanoseconds, zone] or to nanoseconds alone.
func aMoment(g generator, depth int) ast.Value {
	since := ast.NewTerm(oneOf(aNumber, littleNumber)(g, depth))
	zone := ast.StringTerm(pick(g, []string{"UTC", "", "Asia/Tokyo", "America/New_York", "nowhere", "../UTC", "Europe//Berlin"}))
	switch g.IntN(8) {
	case 0:
		return ast.NewArray()
	case 1:
		return ast.NewArray(since)
	case 2:
		return ast.NewArray(since, zone, ast.StringTerm("RFC3339"))
	case 3:
		return ast.NewArray(since, ast.NewTerm(g.scalar()))
	case 4, 5:
		return ast.NewArray(since, zone)
	}
	return since.Value
}

// aTime is near to RFC 3339.
func aTime(g generator, _ int) ast.Value {
	t := time.Unix(g.Int64N(20_000_000_000)-10_000_000_000, g.Int64N(1_000_000_000)).UTC()
	if g.IntN(2) == 0 {
		t = t.In(time.FixedZone("", g.IntN(100_000)-50_000))
	}
	text := []byte(t.Format(pick(g, []string{time.RFC3339, time.RFC3339Nano})))
	if g.IntN(4) == 0 {
		text[g.IntN(len(text))] = "0123456789:-TZ.+ t"[g.IntN(18)]
	}
	return ast.String(text)
}

// littleNumber bounds what a function makes out of it.
func littleNumber(g generator, _ int) ast.Value {
	return ast.Number(pick(g, []string{"0", "1", "2", "3", "5", "8", "10", "16", "31", "32", "63", "64", "65", "200", "-1", "-2", "1.0", "2.5", "-0"}))
}

func oneOf(kinds ...kind) kind {
	return func(g generator, depth int) ast.Value { return pick(g, kinds)(g, depth) }
}

func arrayOf(k kind) kind {
	return func(g generator, depth int) ast.Value { return ast.NewArray(g.terms(k, depth)...) }
}

func setOf(k kind) kind {
	return func(g generator, depth int) ast.Value { return ast.NewSet(g.terms(k, depth)...) }
}

func (g generator) terms(k kind, depth int) []*ast.Term {
	terms := make([]*ast.Term, g.IntN(6))
	for i := range terms {
		terms[i] = ast.NewTerm(k(g, depth-1))
	}
	return terms
}

// objectOf inserts no key twice: where keys' hashes collide, OPA's Insert then
// loses track of one of them.
func objectOf(key, value kind) kind {
	return func(g generator, depth int) ast.Value {
		o := ast.NewObject()
		for range g.IntN(5) {
			if k := ast.NewTerm(key(g, depth-1)); o.Get(k) == nil {
				o.Insert(k, ast.NewTerm(value(g, depth-1)))
			}
		}
		return o
	}
}

// object mostly has strings for keys. Some are converted on demand.
func object(g generator, depth int) ast.Value {
	switch g.IntN(8) {
	case 0:
		return objectOf(anyValue, anyValue)(g, depth)
	case 1:
		return ast.LazyObject(map[string]any{"a": 1, "b": map[string]any{"c": "d"}, string(fewStrings(g, 0).(ast.String)): []any{"a", 2}})
	}
	return objectOf(fewStrings, anyValue)(g, depth)
}
