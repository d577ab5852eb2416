package closure

import (
	"fmt"
	"slices"
	"strings"

	"github.com/open-policy-agent/opa/v1/ast"

	"github.com/verdictpdp/verdict/engine/eval/closure/native"
)

// A dispatch is a table that finds the rules of a function which may apply, by
// what stands at a path of the input or in a parameter. Those under a value may
// be told apart by another path, and so on.
type dispatch struct {
	subject expression // nil in a leaf
	byValue []*branch
	// otherwise are the rules that do not ask for the subject, for values under
	// which no other stands.
	otherwise *dispatch
	rules     []int // of a leaf, in order
	// ours is whether OPA's index does not look at the subject: the rules that a
	// value leads to are not those that OPA tries.
	ours bool
}

// A branch is where a value leads.
type branch struct {
	value *ast.Term
	to    *dispatch
}

// fewRules is up to how many rules are tried one after another.
const fewRules = 2

// A guard is a condition of a rule: the subject is one of the values.
type guard struct {
	subject expression
	key     string // tells subjects apart
	values  []*ast.Term
	ours    bool // see dispatch
}

// dispatchOf finds a table for rules; nil where none would help.
func dispatchOf(f *function) *dispatch {
	guards := make([][]guard, len(f.rules))
	all := make([]int, len(f.rules))
	for i, rule := range f.rules {
		all[i] = i
		if len(rule.bodies) == 1 {
			guards[i] = guardsOf(rule.bodies[0])
		}
	}
	d := split(all, guards, nil)
	if d.subject == nil {
		return nil
	}
	return d
}

// split divides rules by the subject that most of them ask for.
func split(rules []int, guards [][]guard, done []string) *dispatch {
	leaf := &dispatch{rules: rules}
	if len(rules) <= fewRules {
		return leaf
	}
	subject, key := mostAsked(rules, guards, done)
	if subject == nil {
		return leaf
	}
	done = append(slices.Clone(done), key)
	d := &dispatch{subject: subject}
	var others []int
	var order []*branch
	under := make(map[string]*branch)
	of := make(map[*branch][]int)
	for _, rule := range rules {
		g := find(guards[rule], key)
		if g == nil {
			others = append(others, rule)
			for _, b := range order {
				of[b] = append(of[b], rule)
			}
			continue
		}
		d.ours = d.ours || g.ours
		seen := make(map[*branch]bool)
		for _, value := range g.values {
			name := value.String()
			b := under[name]
			if b == nil && isNumber(value) { // equal ones may be written in two ways
				if i := slices.IndexFunc(order, func(b *branch) bool { return native.Equal(b.value, value) }); i >= 0 {
					b = order[i]
				}
			}
			if b == nil {
				b = &branch{value: value}
				under[name] = b
				order = append(order, b)
				of[b] = slices.Clone(others)
			}
			if !seen[b] {
				seen[b] = true
				of[b] = append(of[b], rule)
			}
		}
	}
	for _, b := range order {
		b.to = split(of[b], guards, done)
		d.byValue = append(d.byValue, b)
	}
	d.otherwise = split(others, guards, done)
	return d
}

func isNumber(t *ast.Term) bool { _, is := t.Value.(ast.Number); return is }

// mostAsked is the subject that most rules ask for, of those not done yet; nil
// where fewer than two do.
func mostAsked(rules []int, guards [][]guard, done []string) (expression, string) {
	counts := make(map[string]int)
	var best *guard
	for _, rule := range rules {
		for i := range guards[rule] {
			g := &guards[rule][i]
			if slices.Contains(done, g.key) {
				continue
			}
			counts[g.key]++
			if best == nil || counts[g.key] > counts[best.key] {
				best = g
			}
		}
	}
	if best == nil || counts[best.key] < 2 {
		return nil, ""
	}
	return best.subject, best.key
}

func find(guards []guard, key string) *guard {
	for i := range guards {
		if guards[i].key == key {
			return &guards[i]
		}
	}
	return nil
}

// guardsOf are the conditions that a body begins with. See hoist. The first rule
// that it calls, if that has no parameters and one body, lends it its own: they
// have to hold before anything in either can err.
func guardsOf(b *block) []guard {
	g := &guardFinder{assigned: make(map[local]expression)}
	for _, s := range b.statements {
		if !g.takes(s) {
			if called := conditionCall(s); called != nil {
				g.borrow(called)
			}
			break
		}
	}
	return g.found
}

type guardFinder struct {
	assigned map[local]expression
	found    []guard
}

// takes notes what a statement asks for. It is false for one that does more
// than ask for subjects.
func (g *guardFinder) takes(s statement) bool {
	switch s := s.(type) {
	case *reset:
	case *assign:
		if _, isSubject := subjectKey(s.value); !isSubject {
			return false
		}
		g.assigned[s.to] = s.value
	case *equal:
		if value, isConstant := s.b.(constant); isConstant {
			return g.add(s.at, s.a, value.term)
		} else if value, isConstant := s.a.(constant); isConstant {
			return g.add(s.at, s.b, value.term)
		} else if !g.isSubject(s.a) || !g.isSubject(s.b) {
			return false
		}
	case *differ:
		member, isCall := s.a.(callBuiltin)
		switch {
		case isCall && isFalse(s.b) && member.name == memberBuiltin && isCollection(member.args[1]):
			return g.add(s.at, member.args[0], membersOf(member.args[1].(constant).term)...)
		case !g.isSubject(s.a) || !isConstant(s.b):
			return false
		}
	default:
		return false
	}
	return true
}

// plug puts the subjects in the place of the locals that hold them.
func (g *guardFinder) plug(e expression) expression {
	return inPlaceOfReads(e, func(l local) expression { return g.assigned[l] })
}

func (g *guardFinder) isSubject(e expression) bool {
	_, is := subjectKey(g.plug(e))
	return is
}

// add notes that a subject is one of several values. What is no subject, it passes
// over; it is false where that may err.
func (g *guardFinder) add(at atPlace, subject expression, values ...*ast.Term) bool {
	subject = g.plug(subject)
	key, isSubject := subjectKey(subject)
	if !isSubject || find(g.found, key) != nil || slices.ContainsFunc(values, isComposite) {
		return !mayErr(subject)
	}
	g.found = append(g.found, guard{subject, key, values, insideParameter(subject) || !isIndexed(at)})
	return true
}

// insideParameter reports whether a subject is a part of a parameter. OPA's index
// looks at parameters as a whole.
func insideParameter(subject expression) bool {
	d, isDot := subject.(dot)
	if !isDot {
		return false
	}
	_, isRead := pathOf(d).root.(read)
	return isRead
}

// conditionCall is the function without parameters that a statement asks the
// truth of, or whose value it takes; nil where it does neither.
func conditionCall(s statement) *function {
	var e expression
	switch s := s.(type) {
	case *differ:
		if !isConstant(s.b) {
			return nil
		}
		e = s.a
	case *assign:
		e = s.value
	default:
		return nil
	}
	for {
		d, isDot := e.(dot)
		if !isDot {
			break
		}
		if !isConstant(d.key) {
			return nil
		}
		e = d.of
	}
	if called, isCall := e.(call); isCall && len(called.args) == 0 {
		return called.function
	}
	return nil
}

// borrow takes the guards of a function with one rule and no default.
func (g *guardFinder) borrow(f *function) {
	if f.kind != complete || f.otherwise != nil || len(f.rules) != 1 || len(f.rules[0].bodies) != 1 {
		return
	}
	for _, lent := range guardsOf(f.rules[0].bodies[0]) {
		if find(g.found, lent.key) == nil {
			lent.ours = true
			g.found = append(g.found, lent)
		}
	}
}

// membersOf are the values that a constant collection has for x in it.
func membersOf(collection *ast.Term) []*ast.Term {
	var values []*ast.Term
	each(nil, collection, func(_, value *ast.Term) bool {
		values = append(values, value)
		return true
	})
	return values
}

func isComposite(t *ast.Term) bool { return !ast.IsScalar(t.Value) }

// subjectKey tells subjects apart. A subject is a parameter, or a path of
// constants in the input or in a parameter.
func subjectKey(e expression) (string, bool) {
	switch e := e.(type) {
	case inputDocument:
		return "input", true
	case read:
		return fmt.Sprintf("local %d", e.from), true
	case dot:
		of, isSubject := subjectKey(e.of)
		key, isConstant := e.key.(constant)
		if !isSubject || !isConstant {
			return "", false
		}
		return strings.Join([]string{of, key.term.String()}, "\x00"), true
	default:
		return "", false
	}
}
