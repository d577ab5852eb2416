package closure

import (
	"fmt"
	"slices"
	"strings"

	"github.com/open-policy-agent/opa/v1/ast"
	"github.com/open-policy-agent/opa/v1/topdown"

	"github.com/verdictpdp/verdict/api/authz"
)

// Where no table of values tells rules apart, a filter may: by a value in the
// directory, by how a text begins or ends, or by what a collection has in it.
//
//	allow if { data.directory.user[input.subject.id].attributes.level == "ward"; … }
//	allow if { startswith(input.resource.id, "projects/7/"); … }
//	allow if { glob.match("orders:*:read", [":"], input.action.name); … }
//	allow if { "auditor" in input.subject.properties.roles; … }
//	allow if { some role in input.subject.properties.roles; role == "auditor"; … }
//
// So it does for the many elses of one rule. A body that the filter passes over
// would have come to nothing at that condition, having done nothing before it that
// may err.

// A condition is one that a body comes to, with nothing before it that may err: a
// subject is one of the values, begins or ends with one of them, or has one in it.
// What it asks for besides is left to the body.
type condition struct {
	of      conditionKind
	subject subject
	values  []*ast.Term // scalars; texts but for being
}

type conditionKind uint8

const (
	being conditionKind = iota
	beginning
	ending
	having
)

// conditionsOf are the conditions of a body of a function.
func conditionsOf(f *function, b *block) []condition {
	t := newTracer(f)
	var found []condition
	add := func(of conditionKind, subject expression, values []*ast.Term) {
		from, is := t.trace(subject)
		if is && len(values) > 0 && !slices.ContainsFunc(values, isComposite) {
			found = append(found, condition{of, from, values})
		}
	}
	for i, s := range b.statements {
		switch s := s.(type) {
		case *equal:
			if value, is := s.b.(constant); is {
				add(being, s.a, []*ast.Term{value.term})
			} else if value, is := s.a.(constant); is {
				add(being, s.b, []*ast.Term{value.term})
			}
		case *differ:
			if called, isCall := s.a.(callBuiltin); isCall && isFalse(s.b) {
				add(asked(called))
			}
		case *scan:
			if loop, is := searchOf(s); is && i == len(b.statements)-1 {
				add(having, s.of, oneText(loop.x))
			}
		}
		if mayErrIn(s) {
			break
		}
		t.note(s)
	}
	return found
}

// asked is what the truth of a built-in asks of a subject; no values where that is
// no condition.
func asked(called callBuiltin) (of conditionKind, subject expression, values []*ast.Term) {
	switch called.name {
	case ast.StartsWith.Name, ast.AnyPrefixMatch.Name:
		return beginning, called.args[0], textsOf(called.args[1])
	case ast.EndsWith.Name, ast.AnySuffixMatch.Name:
		return ending, called.args[0], textsOf(called.args[1])
	case ast.GlobMatch.Name:
		of, values = ofPattern(called.args[0], called.args[1])
		return of, called.args[2], values
	case memberBuiltin:
		if isCollection(called.args[1]) {
			return being, called.args[0], membersOf(called.args[1].(constant).term)
		}
		return having, called.args[1], oneText(called.args[0])
	}
	return 0, nil, nil
}

// oneText is a constant text; nothing for other expressions.
func oneText(e expression) []*ast.Term {
	if _, isText := constantText(e); !isText {
		return nil
	}
	return []*ast.Term{e.(constant).term}
}

// textsOf are a constant text, or those of a constant collection of nothing else.
func textsOf(e expression) []*ast.Term {
	if !isCollection(e) {
		return oneText(e)
	}
	texts := membersOf(e.(constant).term)
	if slices.ContainsFunc(texts, func(t *ast.Term) bool { _, isText := t.Value.(ast.String); return !isText }) {
		return nil
	}
	return texts
}

// ofPattern is how texts begin, or else end, that a constant pattern matches. It
// is nothing for a pattern that may match any, and for one that is an error.
func ofPattern(pattern, delimiters expression) (conditionKind, []*ast.Term) {
	const special = `*?[]{}\`
	text, isText := constantText(pattern)
	if !isText || !isConstant(delimiters) || !isPattern(pattern.(constant).term, delimiters.(constant).term) {
		return 0, nil
	}
	if end := strings.IndexAny(text, special); end != 0 {
		if end < 0 {
			end = len(text)
		}
		return beginning, []*ast.Term{ast.StringTerm(text[:end])}
	}
	if end := text[strings.LastIndexAny(text, special)+1:]; end != "" {
		return ending, []*ast.Term{ast.StringTerm(end)}
	}
	return 0, nil
}

// isPattern reports whether OPA can match with a pattern.
func isPattern(pattern, delimiters *ast.Term) bool {
	operands := []*ast.Term{pattern, delimiters, ast.InternedEmptyString}
	return topdown.GetBuiltin(ast.GlobMatch.Name)(topdown.BuiltinContext{}, operands, func(*ast.Term) error { return nil }) == nil
}

// A filter finds those of some bodies that a subject does not rule out. They are
// told by their places among these.
type filter struct {
	of      conditionKind
	subject expression
	byValue scalars[[]int]
	sizes   []int // of the texts, each once, from the smallest on
	others  []int // the bodies without the condition
}

// fewFiltered is how many bodies are tried one after another rather than looked
// for.
const fewFiltered = 8

// filterOf is a filter by the condition that leaves the fewest bodies of a function
// to try; nil where it would pass over few. A nil body has no condition, and what is
// done has been found to be the same for all.
func filterOf(f *function, bodies []*block, done []string) *filter {
	if len(bodies) <= fewFiltered {
		return nil
	}
	t := &tally{byKind: make(map[string]*likeConditions)}
	for i, b := range bodies {
		if b != nil {
			t.add(i, slices.DeleteFunc(conditionsOf(f, b), func(c condition) bool {
				return c.of == being && slices.Contains(done, c.subject.key)
			}))
		}
	}
	var best *likeConditions
	for _, l := range t.kinds {
		if best == nil || l.passed() > best.passed() {
			best = l
		}
	}
	if best == nil || best.passed() < fewFiltered {
		return nil
	}
	x := &filter{of: best.of, subject: best.subject}
	under := make(map[int]bool)
	for _, p := range best.places {
		under[p.body] = true
		known, _ := x.byValue.get(p.value)
		x.byValue.put(p.value, append(known, p.body))
		if text, isText := p.value.Value.(ast.String); isText {
			x.sizes = append(x.sizes, len(text))
		}
	}
	slices.Sort(x.sizes)
	x.sizes = slices.Compact(x.sizes)
	for i := range bodies {
		if !under[i] {
			x.others = append(x.others, i)
		}
	}
	return x
}

// A tally is the conditions of bodies, those together that one filter can look at.
type tally struct {
	byKind map[string]*likeConditions
	kinds  []*likeConditions // in the order in which they were found
}

type likeConditions struct {
	of      conditionKind
	subject expression
	places  []conditionPlace
	bodies  int
	values  map[string]bool
}

// A conditionPlace is a body that asks for a value, among others maybe.
type conditionPlace struct {
	value *ast.Term
	body  int
}

// add notes a body's conditions. Of several that are alike, the first counts.
func (t *tally) add(body int, conditions []condition) {
	seen := make(map[*likeConditions]bool)
	for _, c := range conditions {
		kind := fmt.Sprint(c.of, c.subject.key)
		l := t.byKind[kind]
		if l == nil {
			l = &likeConditions{of: c.of, subject: c.subject.path, values: make(map[string]bool)}
			t.byKind[kind] = l
			t.kinds = append(t.kinds, l)
		}
		if seen[l] {
			continue
		}
		seen[l] = true
		l.bodies++
		for _, value := range c.values {
			l.places = append(l.places, conditionPlace{value, body})
			l.values[value.String()] = true
		}
	}
}

// passed is about how many bodies a filter by these passes over: all but those
// under one value, as far as they have the condition.
func (l *likeConditions) passed() int { return l.bodies - len(l.places)/len(l.values) }

// filtered is the code of bodies of which a filter finds those that may apply.
// Unfiltered is that of all of them, for what the conditions are errors of. Where
// enough is set, the first that yields is.
func (c *coder) filtered(x *filter, bodies []step, unfiltered step, result int, enough bool) step {
	name, subject := c.text(x.subject), c.value(x.subject)
	return func(m *machine) signal {
		base := len(m.candidates)
		known := false
		if name != nil {
			var text string
			if text, known = name(m); known {
				x.match(m, text)
			}
		}
		if !known {
			value := subject(m)
			known = value == nil || x.matchValue(m, value)
		}
		found := m.candidates[base:]
		switch {
		case m.err != nil || !m.work(1+(len(x.sizes)+len(found))/perStep):
			return halt
		case !known:
			return unfiltered(m)
		}
		slices.Sort(found)
		others := x.others
		for len(found) > 0 || len(others) > 0 {
			var next int
			if len(others) == 0 || len(found) > 0 && found[0] < others[0] {
				next = found[0]
				for len(found) > 0 && found[0] == next { // by several texts
					found = found[1:]
				}
			} else {
				next, others = others[0], others[1:]
			}
			if bodies[next](m) == halt {
				return halt
			}
			if enough && m.slots[result] != nil {
				break
			}
		}
		m.candidates = m.candidates[:base]
		return goOn
	}
}

// match notes the bodies that a text does not rule out.
func (x *filter) match(m *machine, text string) {
	switch x.of {
	case being:
		x.note(m, text)
	case beginning, ending:
		for _, size := range x.sizes {
			if size > len(text) {
				break
			}
			if x.of == beginning {
				x.note(m, text[:size])
			} else {
				x.note(m, text[len(text)-size:])
			}
		}
	case having: // a text has nothing in it
	}
}

// note notes the bodies that ask for a text.
func (x *filter) note(m *machine, text string) {
	m.candidates = append(m.candidates, x.byValue.byText[text]...)
}

// matchValue notes the bodies that a value does not rule out. It is false for a
// value that has to be left to their conditions.
func (x *filter) matchValue(m *machine, value *ast.Term) bool {
	if text, isText := value.Value.(ast.String); isText {
		x.match(m, string(text))
		return true
	}
	switch x.of {
	case being:
		bodies, _ := x.byValue.get(value)
		m.candidates = append(m.candidates, bodies...)
		return true
	case having:
		return x.matchMembers(m, value)
	default:
		return false
	}
}

// matchMembers is matchValue for what may have members. Those of a large
// collection are left alone: it may know them already, which the conditions ask.
func (x *filter) matchMembers(m *machine, value *ast.Term) bool {
	has := func(member *ast.Term) {
		if text, isText := member.Value.(ast.String); isText {
			x.note(m, string(text))
		}
	}
	switch v := value.Value.(type) {
	case *lazy:
		return x.matchSent(m, v.sent)
	case *building:
		return false
	}
	members := size(value.Value)
	if members > int64(len(x.byValue.byText)) {
		return false
	}
	switch v := value.Value.(type) {
	case *ast.Array:
		v.Foreach(has)
	case ast.Set:
		v.Foreach(has)
	case ast.Object:
		v.Foreach(func(_, member *ast.Term) { has(member) })
	}
	return m.pay(members / perStep)
}

// matchSent is matchMembers for what a caller sends.
func (x *filter) matchSent(m *machine, sent any) bool {
	has := func(member any) {
		if text, isText := member.(string); isText {
			x.note(m, text)
		}
	}
	switch sent := sent.(type) {
	case []any:
		for _, member := range sent {
			has(member)
		}
		return m.work(len(sent) / perStep)
	case authz.Object:
		for _, member := range sent {
			has(member)
		}
		return m.work(len(sent) / perStep)
	default:
		return false
	}
}
