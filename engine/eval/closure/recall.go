package closure

import (
	"hash/maphash"

	"github.com/open-policy-agent/opa/v1/ast"
)

// Some built-ins take much longer than to find out that they were called on the
// same operands before: a pattern is matched with an action, an address with a
// network. What such a call came to is remembered by its operands, as long as
// these are short, and so is what it came to. It depends on nothing else, so it is
// remembered from one evaluation to the next.

// recalled are the built-ins that are worth it. All are deterministic and look at
// their operands alone. Those that read times are not among them: the times in a
// directory are as many as its entities, and package native reads one in little
// more time.
var recalled = map[string]bool{
	ast.RegexMatch.Name: true, ast.RegexReplace.Name: true, ast.RegexSplit.Name: true, ast.GlobMatch.Name: true,
	ast.Split.Name: true, ast.Replace.Name: true, ast.Substring.Name: true, ast.ToNumber.Name: true, ast.FormatInt.Name: true,
	ast.NetCIDRContains.Name: true, ast.SemVerCompare.Name: true, ast.ParseDurationNanos.Name: true,
	ast.UnitsParse.Name: true, ast.UnitsParseBytes.Name: true,
}

// A recollection is what a call came to. Call tells calls apart.
type recollection struct {
	call   *recallable
	key    string
	result *ast.Term
}

// recollections are the last ones. One that falls on another's place takes it.
type recollections struct {
	places [256]recollection
	key    []byte
}

// What is remembered is no larger.
const (
	maxKeyBytes  = 192
	maxRemainder = 8 // in steps, see weight
)

// A recallable is a call that is remembered.
type recallable struct {
	args     []value
	variable []int // the operands that are no constants
	called   value // on what is passed
}

// maxPassed is how many operands a call may have that is remembered.
const maxPassed = 4

// recall is the code of a call that is remembered; nil for other calls. Call makes
// the code of the call on other operands.
func (c *coder) recall(e callBuiltin, args []value, call func(args []value) value) value {
	if !recalled[e.name] || len(args) > maxPassed {
		return nil
	}
	r := &recallable{args: args}
	passed := make([]value, len(args))
	for i, arg := range args {
		if isConstant(e.args[i]) {
			passed[i] = arg
			continue
		}
		r.variable = append(r.variable, i)
		passed[i] = func(m *machine) *ast.Term { return m.passed[i] }
	}
	if len(r.variable) == 0 {
		return nil
	}
	r.called = call(passed)
	return r.run
}

func (r *recallable) run(m *machine) *ast.Term {
	var terms [maxPassed]*ast.Term
	for _, i := range r.variable {
		if terms[i] = r.args[i](m); terms[i] == nil {
			return nil
		}
	}
	known := &m.texts.known
	key, isShort := known.key[:0], true
	for _, i := range r.variable {
		if key, isShort = appendKey(key, terms[i].Value); !isShort {
			break
		}
	}
	known.key = key
	if !isShort {
		m.passed = terms
		return r.called(m)
	}
	place := &known.places[maphash.Bytes(m.texts.seed, key)%uint64(len(known.places))]
	if place.call == r && place.key == string(key) {
		if !m.step() {
			return nil
		}
		return place.result
	}
	text := string(key)
	m.passed = terms
	result := r.called(m)
	if result != nil && m.err == nil && m.weigh(result.Value) <= maxRemainder {
		*place = recollection{r, text, result}
	}
	return result
}

// appendKey appends a scalar to what a call is remembered by. It is false where
// that is too long, or the value is no text or number. Equal numbers that are
// written otherwise are told apart.
func appendKey(key []byte, v ast.Value) ([]byte, bool) {
	kind, text := byte('t'), ""
	switch v := v.(type) {
	case ast.String:
		text = string(v)
	case ast.Number:
		kind, text = 'n', string(v)
	default:
		return key, false
	}
	if len(key)+len(text)+2 > maxKeyBytes {
		return key, false
	}
	key = append(key, kind, byte(len(text)))
	return append(key, text...), true
}
