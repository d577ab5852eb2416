package closure

import (
	"slices"
	"strings"

	"github.com/open-policy-agent/opa/v1/ast"
	"github.com/open-policy-agent/opa/v1/topdown"

	"github.com/verdictpdp/verdict/api/authz"
)

// Where no table of values tells rules apart, a filter may: by how a text of the
// request begins or ends, or by what a collection has in it.
//
//	allow if { startswith(input.resource.id, "projects/7/"); … }
//	allow if { glob.match("orders:*:read", [":"], input.action.name); … }
//	allow if { "auditor" in input.subject.properties.roles; … }
//	allow if { some role in input.subject.properties.roles; role == "auditor"; … }
//
// A rule that the filter passes over would have come to nothing at that condition,
// having done nothing before it that may err.

// A condition is one that a rule's body comes to first: a subject begins or ends
// with one of the texts, or has one in it. What it asks for besides is left to the
// body.
type condition struct {
	of      conditionKind
	subject expression
	key     string // tells subjects apart
	texts   []string
}

type conditionKind uint8

const (
	beginning conditionKind = iota
	ending
	having
)

// conditionOf is a body's condition; false where it has none.
func conditionOf(b *block) (condition, bool) {
	g := &guardFinder{assigned: make(map[local]expression)}
	for i, s := range b.statements {
		if loop, is := s.(*scan); is && i == len(b.statements)-1 {
			return g.sought(loop)
		}
		if d, is := s.(*differ); is && isFalse(d.b) {
			if called, isCall := d.a.(callBuiltin); isCall {
				if found, is := g.condition(called); is {
					return found, true
				}
			}
		}
		if !g.takes(s) {
			break
		}
	}
	return condition{}, false
}

// condition is what a built-in asks of a subject.
func (g *guardFinder) condition(called callBuiltin) (found condition, is bool) {
	subject := 0
	switch called.name {
	case ast.StartsWith.Name, ast.AnyPrefixMatch.Name:
		found.of = beginning
		found.texts = textsOf(called.args[1])
	case ast.EndsWith.Name, ast.AnySuffixMatch.Name:
		found.of = ending
		found.texts = textsOf(called.args[1])
	case ast.GlobMatch.Name:
		subject = 2
		found.of, found.texts = ofPattern(called.args[0], called.args[1])
	case memberBuiltin:
		subject = 1
		found.of = having
		if text, isText := constantText(called.args[0]); isText {
			found.texts = []string{text}
		}
	}
	if len(found.texts) == 0 {
		return found, false
	}
	found.subject = g.plug(called.args[subject])
	found.key, is = subjectKey(found.subject)
	return found, is
}

// sought is what a loop looks for in a subject. See seek.
func (g *guardFinder) sought(s *scan) (condition, bool) {
	loop, is := searchOf(s)
	if !is {
		return condition{}, false
	}
	text, isText := constantText(loop.x)
	found := condition{of: having, subject: g.plug(s.of), texts: []string{text}}
	found.key, is = subjectKey(found.subject)
	return found, is && isText
}

// textsOf are a constant text, or those of a constant collection of nothing else.
func textsOf(e expression) []string {
	if text, isText := constantText(e); isText {
		return []string{text}
	}
	if !isCollection(e) {
		return nil
	}
	var texts []string
	for _, member := range membersOf(e.(constant).term) {
		text, isText := member.Value.(ast.String)
		if !isText {
			return nil
		}
		texts = append(texts, string(text))
	}
	return texts
}

// ofPattern is how texts begin, or else end, that a constant pattern matches. It
// is nothing for a pattern that may match any, and for one that is an error.
func ofPattern(pattern, delimiters expression) (conditionKind, []string) {
	const special = `*?[]{}\`
	text, isText := constantText(pattern)
	if !isText || !isConstant(delimiters) || !isPattern(pattern.(constant).term, delimiters.(constant).term) {
		return 0, nil
	}
	if end := strings.IndexAny(text, special); end != 0 {
		if end < 0 {
			end = len(text)
		}
		return beginning, []string{text[:end]}
	}
	if end := text[strings.LastIndexAny(text, special)+1:]; end != "" {
		return ending, []string{end}
	}
	return 0, nil
}

// isPattern reports whether OPA can match with a pattern.
func isPattern(pattern, delimiters *ast.Term) bool {
	operands := []*ast.Term{pattern, delimiters, ast.InternedEmptyString}
	return topdown.GetBuiltin(ast.GlobMatch.Name)(topdown.BuiltinContext{}, operands, func(*ast.Term) error { return nil }) == nil
}

// A filter finds those of some rules that a subject does not rule out. Rules are
// told by their places among these.
type filter struct {
	of      conditionKind
	subject expression
	byText  map[string][]int
	sizes   []int // of the texts, each once, from the smallest on
	others  []int // the rules without the condition
}

// fewFiltered is up to how many rules are tried one after another rather than
// looked for.
const fewFiltered = 8

// filterOf is a filter of the condition that most rules have; nil where it would
// pass over few.
func filterOf(rules []*chain) *filter {
	type kind struct {
		of  conditionKind
		key string
	}
	conditions := make([]condition, len(rules))
	counts := make(map[kind]int)
	var most kind
	for i, rule := range rules {
		if len(rule.bodies) > 1 {
			continue
		}
		found, is := conditionOf(rule.bodies[0])
		if !is {
			continue
		}
		conditions[i] = found
		k := kind{found.of, found.key}
		if counts[k]++; counts[k] > counts[most] {
			most = k
		}
	}
	if counts[most] <= fewFiltered {
		return nil
	}
	x := &filter{of: most.of, byText: make(map[string][]int)}
	for i, found := range conditions {
		if found.subject == nil || most != (kind{found.of, found.key}) {
			x.others = append(x.others, i)
			continue
		}
		x.subject = found.subject
		slices.Sort(found.texts)
		for _, text := range slices.Compact(found.texts) {
			x.byText[text] = append(x.byText[text], i)
			x.sizes = append(x.sizes, len(text))
		}
	}
	slices.Sort(x.sizes)
	x.sizes = slices.Compact(x.sizes)
	return x
}

// filtered is the code of rules of which a filter finds those that may apply.
// Unfiltered is that of all of them, for what the conditions are errors of. Where
// enough is set, the first that yields is.
func (c *coder) filtered(x *filter, rules []step, unfiltered step, result int, enough bool) step {
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
			if rules[next](m) == halt {
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

// match notes the rules that a text does not rule out.
func (x *filter) match(m *machine, text string) {
	if x.of == having {
		return // it has nothing in it
	}
	for _, size := range x.sizes {
		if size > len(text) {
			break
		}
		part := text[:size]
		if x.of == ending {
			part = text[len(text)-size:]
		}
		x.note(m, part)
	}
}

// note notes the rules that ask for a text.
func (x *filter) note(m *machine, text string) {
	m.candidates = append(m.candidates, x.byText[text]...)
}

// matchValue notes the rules that a value does not rule out. It is false for a
// value that has to be left to their conditions.
func (x *filter) matchValue(m *machine, value *ast.Term) bool {
	if text, isText := value.Value.(ast.String); isText {
		x.match(m, string(text))
		return true
	}
	if x.of != having {
		return false
	}
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
	case *ast.Array:
		v.Foreach(has)
	case ast.Set:
		v.Foreach(has)
	case ast.Object:
		v.Foreach(func(_, member *ast.Term) { has(member) })
	}
	return m.pay(size(value.Value) / perStep)
}

// matchSent is matchValue for what a caller sends.
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
