package closure

import (
	"fmt"
	"slices"
	"strings"

	"github.com/open-policy-agent/opa/v1/ast"
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
		seen := make(map[*branch]bool)
		for _, value := range g.values {
			name := value.String()
			b := under[name]
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

// guardsOf are the conditions that a body begins with. See hoist.
func guardsOf(b *block) []guard {
	var guards []guard
	assigned := make(map[local]expression)
	add := func(subject expression, values ...*ast.Term) {
		subject = everyLeaf(subject, func(leaf expression) expression {
			if r, isRead := leaf.(read); isRead && assigned[r.from] != nil {
				return assigned[r.from]
			}
			return leaf
		})
		key, isSubject := subjectKey(subject)
		if !isSubject || find(guards, key) != nil || slices.ContainsFunc(values, isComposite) {
			return
		}
		guards = append(guards, guard{subject, key, values})
	}
	for _, s := range b.statements {
		switch s := s.(type) {
		case *reset:
		case *assign:
			if _, isSubject := subjectKey(s.value); !isSubject {
				return guards
			}
			assigned[s.to] = s.value
		case *equal:
			if value, isConstant := s.b.(constant); isConstant {
				add(s.a, value.term)
			} else if value, isConstant := s.a.(constant); isConstant {
				add(s.b, value.term)
			}
		case *differ:
			if member, isCall := s.a.(callBuiltin); isCall && isFalse(s.b) && member.name == memberBuiltin && isCollection(member.args[1]) {
				add(member.args[0], membersOf(member.args[1].(constant).term)...)
			}
		default:
			return guards
		}
	}
	return guards
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
