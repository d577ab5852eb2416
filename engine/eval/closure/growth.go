package closure

import (
	"regexp/syntax"
	"strings"

	"github.com/open-policy-agent/opa/v1/ast"
)

// What makes more of its operands than they are has to find room for it first.
// Each bound is of bytes, and never too low; operands of wrong types are the
// built-in's to refuse.

// fits reports whether there is room for a text of so many bytes.
func (m *machine) fits(bytes int64) bool { return m.affords(bytes / unit) }

// textBytes is the length of a text.
func textBytes(t *ast.Term) int64 {
	if t == nil {
		return 0
	}
	s, _ := t.Value.(ast.String)
	return int64(len(s))
}

// textsIn is how many members an array or a set has, and the bytes of the texts
// among them.
func textsIn(t *ast.Term) (count, bytes int64) {
	switch v := t.Value.(type) {
	case *ast.Array:
		for i := range v.Len() {
			bytes += textBytes(v.Elem(i))
		}
		count = int64(v.Len())
	case ast.Set:
		for _, member := range v.Slice() {
			bytes += textBytes(member)
		}
		count = int64(v.Len())
	}
	return count, bytes
}

// joining is concat: one text between each two.
func joining(m *machine, on operands) bool {
	count, bytes := textsIn(on[1])
	return m.fits(bytes + times(count, textBytes(on[0])))
}

// replacing puts a text in the place of each that it finds, or between all
// characters where that is the empty one.
func replacing(m *machine, on operands) bool {
	text, old, by := textBytes(on[0]), textBytes(on[1]), textBytes(on[2])
	return m.fits(text + times(text/max(old, 1)+1, by))
}

func replacingMany(m *machine, on operands) bool {
	longest := int64(0)
	if patterns, isObject := on[0].Value.(ast.Object); isObject {
		patterns.Foreach(func(_, by *ast.Term) { longest = max(longest, textBytes(by)) })
	}
	text := textBytes(on[1])
	return m.fits(text + times(text+1, longest))
}

// replacingMatches may put in the text of a match as often as $0 stands in the
// replacement.
func replacingMatches(m *machine, on operands) bool {
	text, by := textBytes(on[0]), textBytes(on[2])
	return m.pay(4*text) && m.match(on[1], on[0]) && m.fits(text+times(text+1, by))
}

// formatting writes an operand for each verb, which may be any of them, in up to
// ten bytes for each of its own, and as wide as the verb says.
func formatting(m *machine, on operands) bool {
	format, isText := on[0].Value.(ast.String)
	if !isText || len(format) < unit && m.weigh(on[1].Value) < little {
		return true
	}
	const widest = 1_000_000 // fmt takes no larger number
	verbs := int64(strings.Count(string(format), "%"))
	bound := int64(len(format)) + times(verbs, 10*unit*(m.weigh(on[1].Value)+1))
	if strings.ContainsAny(string(format), "0123456789*") {
		bound += times(verbs, 2*widest)
	}
	return m.fits(bound)
}

// shifting makes a number longer by a bit for each place.
func shifting(m *machine, on operands) bool {
	places, isNumber := on[1].Value.(ast.Number)
	if !isNumber {
		return true
	}
	n, isInt := places.Int64()
	return !isInt || n <= unit || m.pay(digits(n/3))
}

// states is how many states there are in matching a pattern, or about as many.
func states(pattern *ast.Term) int64 {
	text, isText := pattern.Value.(ast.String)
	if !isText {
		return 0
	}
	if !strings.Contains(string(text), "{") {
		return int64(len(text))
	}
	parsed, err := syntax.Parse(string(text), syntax.Perl)
	if err != nil {
		return int64(len(text))
	}
	return statesOf(parsed)
}

func statesOf(re *syntax.Regexp) int64 {
	n := int64(1 + len(re.Rune))
	for _, sub := range re.Sub {
		n += statesOf(sub)
	}
	if re.Op == syntax.OpRepeat {
		n = times(n, int64(max(re.Min, re.Max, 1)))
	}
	return n
}
