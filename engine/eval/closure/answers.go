package closure

import (
	"github.com/open-policy-agent/opa/v1/ast"

	"github.com/verdictpdp/verdict/engine/eval/closure/native"
)

// What functions came out as is remembered by their arguments, for as long as the
// documents stay the same, where it is likely that a function is called again with
// the same ones and dear to evaluate it again: that of the grants of a user many
// are of one role, and whether that permits the action is found out once.

// oftenAsked are the functions that are worth it.
func oftenAsked(t *tree) map[*function]bool {
	a := &asker{sites: make(map[*function][]site), times: make(map[*function]int), costs: make(map[*function]int)}
	a.visit(t.plan, nil, false)
	for _, f := range t.functions {
		for _, b := range f.blocks() {
			a.visit(b, f, false)
		}
	}
	often := make(map[*function]bool)
	for _, f := range t.functions {
		if n := len(f.params); n > 0 && n <= maxAnswered && f.rests == nil && a.timesOf(f) > 1 && a.costOf(f) >= leastCost {
			often[f] = true
		}
	}
	return often
}

// leastCost is what a function costs at least that is worth it: a loop, or as much
// as some references into the directory.
const leastCost = 10

// A site is where a function is called: in another one, or nil for the plan, and in
// a loop or not.
type site struct {
	in   *function
	loop bool
}

type asker struct {
	sites map[*function][]site
	times map[*function]int
	costs map[*function]int
}

func (a *asker) visit(b *block, in *function, loop bool) {
	var visit func(e expression) expression
	visit = func(e expression) expression {
		if called, isCall := e.(call); isCall {
			a.sites[called.function] = append(a.sites[called.function], site{in, loop})
		}
		return eachPart(e, visit)
	}
	for _, s := range b.statements {
		eachOperand(s, visit)
		_, isLoop := s.(*scan)
		for _, nested := range inner(s) {
			a.visit(nested, in, loop || isLoop)
		}
	}
}

// timesOf is how often a function may be called in an evaluation: once, or twice
// for more.
func (a *asker) timesOf(f *function) int {
	if known, is := a.times[f]; is {
		return known
	}
	a.times[f] = 1
	times := 0
	for _, s := range a.sites[f] {
		switch {
		case s.loop:
			times += 2
		case s.in != nil && len(s.in.params) > 0:
			times += a.timesOf(s.in)
		default:
			times++
		}
	}
	a.times[f] = min(times, 2)
	return a.times[f]
}

// costOf is about what it costs to evaluate a function, in built-ins of short
// operands. It is 0 for those that are observed.
func (a *asker) costOf(f *function) int {
	if known, is := a.costs[f]; is {
		return known
	}
	a.costs[f] = 0
	cost, seen := 0, false
	var visit func(e expression) expression
	visit = func(e expression) expression {
		switch e := e.(type) {
		case call:
			cost++
			if len(e.args) > 0 {
				cost += a.costOf(e.function)
			}
		case callBuiltin:
			cost++
			if _, isNative := native.Lookup(e.name); !isNative && e.name != ast.NowNanos.Name || recalled[e.name] {
				cost += 4
			}
		case dataDocument:
			cost += 3
		}
		return eachPart(e, visit)
	}
	for _, b := range f.blocks() {
		everyStatement(b, func(s statement) {
			eachOperand(s, visit)
			switch s.(type) {
			case *scan:
				cost += leastCost
			case *observed:
				seen = true
			}
		})
	}
	if seen {
		cost = 0
	}
	a.costs[f] = cost
	return cost
}

// An answer is what a function came out as for some arguments.
type answer struct {
	of   *routine
	args [maxAnswered]*ast.Term
	term *ast.Term
}

const (
	// maxAnswers is how many answers are remembered at a time.
	maxAnswers = 32
	// maxAnswered is how many arguments a function may have whose answers are.
	maxAnswered = 4
)

// answered is what a function came out as for arguments, if that is remembered.
func (w *world) answered(r *routine, args []*ast.Term, same func(a, b *ast.Term) bool) (*ast.Term, bool) {
next:
	for i := range w.answers {
		a := &w.answers[i]
		if a.of != r {
			continue
		}
		for i, arg := range args {
			if !same(a.args[i], arg) {
				continue next
			}
		}
		return a.term, true
	}
	return nil, false
}

func (w *world) remember(r *routine, args []*ast.Term, term *ast.Term) {
	if len(args) > maxAnswered {
		return
	}
	a := answer{of: r, term: term}
	copy(a.args[:], args)
	if len(w.answers) < maxAnswers {
		w.answers = append(w.answers, a)
		return
	}
	w.answers[w.oldest%maxAnswers] = a
	w.oldest++
}

// identical reports whether two arguments are the same value, or texts that are.
// Numbers that are equal may be written in two ways.
func identical(a, b *ast.Term) bool {
	if a == b {
		return true
	}
	x, isText := a.Value.(ast.String)
	y, areTexts := b.Value.(ast.String)
	return isText && areTexts && x == y
}
