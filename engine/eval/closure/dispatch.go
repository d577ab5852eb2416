package closure

import (
	"slices"

	"github.com/open-policy-agent/opa/v1/ast"
)

// A dispatch is a table that finds the rules of a function which may apply, by
// what stands at a path of the input or in a parameter. Those under a value may
// be told apart by another path, and so on.
type dispatch struct {
	subject expression // nil in a leaf
	key     string     // that tells it apart
	byValue []*branch
	// otherwise are the rules that do not ask for the subject, for values under
	// which no other stands.
	otherwise *dispatch
	rules     []int   // of a leaf, in order
	filter    *filter // of a leaf; nil tries all of its rules
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

// dispatchOf finds a table for rules, or a filter; nil where neither would help.
func (s source) dispatchOf(f *function) *dispatch {
	t := &divider{function: f, guards: make([][]guard, len(f.rules)), filters: s.runs(filtersPass)}
	all := make([]int, len(f.rules))
	for i, rule := range f.rules {
		all[i] = i
		if len(rule.bodies) == 1 && s.runs(dispatchPass) {
			t.guards[i] = guardsOf(f, rule.bodies[0])
		}
	}
	d := t.divide(all, nil)
	if d.subject == nil && d.filter == nil {
		return nil
	}
	return d
}

// A divider makes the table of a function's rules.
type divider struct {
	function *function
	guards   [][]guard // of each rule
	filters  bool      // whether leaves may have some
	// filtered are the rules in leaves that a filter was looked for in.
	filtered int
}

// maxFiltered bounds them, as the rules that do not ask for a subject are in the
// leaves of all its values.
const maxFiltered = 100_000

// divide divides rules by the subject that most of them ask for.
func (t *divider) divide(rules []int, done []string) *dispatch {
	if len(rules) <= fewRules {
		return &dispatch{rules: rules}
	}
	asked := t.mostAsked(rules, done)
	if asked == nil {
		leaf := &dispatch{rules: rules}
		if t.filtered += len(rules); t.filters && t.filtered <= maxFiltered {
			leaf.filter = filterOf(t.function, wholes(chains(t.function.rules, rules)), done)
		}
		return leaf
	}
	done = append(slices.Clone(done), asked.key)
	d := &dispatch{subject: asked.path, key: asked.key}
	var others []int
	var order []*branch
	var under scalars[*branch]
	of := make(map[*branch][]int)
	for _, rule := range rules {
		g := find(t.guards[rule], asked.key)
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
			b, known := under.get(value)
			if !known {
				b = &branch{value: value}
				under.put(value, b)
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
		b.to = t.divide(of[b], done)
		d.byValue = append(d.byValue, b)
	}
	d.otherwise = t.divide(others, done)
	return d
}

// chains are some of the rules.
func chains(rules []*chain, which []int) []*chain {
	some := make([]*chain, len(which))
	for i, rule := range which {
		some[i] = rules[rule]
	}
	return some
}

// wholes are the bodies of rules without elses; nil for others.
func wholes(rules []*chain) []*block {
	bodies := make([]*block, len(rules))
	for i, rule := range rules {
		if len(rule.bodies) == 1 {
			bodies[i] = rule.bodies[0]
		}
	}
	return bodies
}

// mostAsked is the subject that most rules ask for, of those not done yet; nil
// where fewer than two do.
func (t *divider) mostAsked(rules []int, done []string) *subject {
	counts := make(map[string]int)
	var best *guard
	for _, rule := range rules {
		for i := range t.guards[rule] {
			g := &t.guards[rule][i]
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
		return nil
	}
	return &best.subject
}

// askedFor are those of some subjects that a rule of a function asks for itself.
func askedFor(f *function, rule *chain, subjects []string) []string {
	if len(rule.bodies) > 1 || len(subjects) == 0 {
		return nil
	}
	g := &guardFinder{tracer: newTracer(f)}
	for _, s := range rule.bodies[0].statements {
		if !g.takes(s) {
			break
		}
	}
	var asked []string
	for _, subject := range subjects {
		if find(g.found, subject) != nil {
			asked = append(asked, subject)
		}
	}
	return asked
}

// pastTable is a body of a function without the questions for subjects that a table
// has answered.
func pastTable(f *function, b *block, subjects []string) *block {
	if len(subjects) == 0 {
		return b
	}
	g := &guardFinder{tracer: newTracer(f)}
	var kept []statement
	for i, s := range b.statements {
		found := len(g.found)
		if !g.takes(s) {
			kept = append(kept, b.statements[i:]...)
			break
		}
		if len(g.found) == found || !slices.Contains(subjects, g.found[found].key) {
			kept = append(kept, s)
		}
	}
	used := usageOf(&block{kept})
	return &block{slices.DeleteFunc(kept, func(s statement) bool {
		a, isAssign := s.(*assign)
		return isAssign && used.idle(a.to) && slices.Contains(subjects, g.tracer.locals[a.to].key)
	})}
}
