package closure

import (
	"maps"
	"slices"
)

// A pass makes a tree smaller, or quicker to run. Each has a file of its own,
// which says what it does and why that changes no answer; and each can be left
// out, to test and to measure what it is worth.
type pass uint16

// The passes that can be left out.
const (
	constantsPass pass = 1 << iota // see foldConstants
	inlinePass                     // see inline
	literalsPass                   // see foldLiterals
	hoistPass                      // see hoist
	exitsPass                      // see findExits
	demandPass                     // see onDemand
	dispatchPass                   // see dispatchOf
	staticPass                     // see foldFunctions
	callsPass                      // see inlineCalls
	variantsPass                   // see specialise
	allPasses     = iota
)

// optimise runs the passes over a tree, in the order in which each makes the
// next one's work plain. What is folded into a constant may let others fold
// more.
func (s source) optimise(t *tree) error {
	s.once(t)
	for s.runs(staticPass) {
		folded, err := foldFunctions(t, s.static)
		if err != nil {
			return err
		}
		if !folded {
			break
		}
		s.once(t)
	}
	if s.runs(callsPass) {
		inlineCalls(t)
	}
	for _, f := range t.functions {
		fixed := f.fixed()
		for _, b := range f.blocks() {
			foldQuestions(b, fixed)
		}
		compact(f)
	}
	foldQuestions(t.plan, t.answers)
	return nil
}

func (s source) runs(p pass) bool { return s.off&p == 0 }

// once runs all passes once.
func (s source) once(t *tree) {
	s.refine(t, t.functions)
	before := len(t.functions)
	if s.runs(demandPass) {
		onDemand(t)
		s.refine(t, t.functions[before:])
	}
	for _, f := range t.functions {
		if s.runs(dispatchPass) {
			f.dispatch = dispatchOf(f)
		}
	}
}

// refine runs the passes that look at one body at a time.
func (s source) refine(t *tree, functions []*function) {
	for _, f := range functions {
		yieldDirectly(f)
		fixed := f.fixed()
		for _, b := range f.blocks() {
			if !f.refined {
				asPlanned(b)
			}
			early := s.body(b, fixed)
			if s.runs(hoistPass) && !f.refined {
				early = also(early, slices.Collect(maps.Keys(hoist(b, fixed, f.keys)))...)
			}
			if early != nil && !f.refined {
				if f.early == nil {
					f.early = make(map[*block]map[local]bool)
				}
				f.early[b] = early
			}
		}
		if s.runs(exitsPass) && !f.refined {
			findExits(f)
		}
		f.refined = true
	}
	if !t.refined {
		asPlanned(t.plan)
	}
	s.body(t.plan, t.answers)
	t.refined = true
}

// asPlanned runs the passes that know statements by the form that the plan gives
// them: once, before others change it.
func asPlanned(b *block) {
	simplify(b)
	baseFirst(b)
	endEvery(b)
	endScopes(b)
}

// body refines one body. The locals are returned that are then set earlier than
// the policy has them; see inline.
func (s source) body(b *block, fixed map[local]bool) (early map[local]bool) {
	simplify(b)
	if s.runs(constantsPass) {
		foldConstants(b, fixed)
	}
	if s.runs(inlinePass) {
		early = inline(b, fixed)
	}
	dropKeys(b)
	if s.runs(literalsPass) {
		foldLiterals(b, fixed)
	}
	if s.runs(inlinePass) {
		inline(b, fixed)
	}
	foldNests(b)
	return early
}

// fixed are the locals of a function that its bodies share.
func (f *function) fixed() map[local]bool {
	fixed := map[local]bool{f.result: true}
	for _, param := range f.params {
		fixed[param] = true
	}
	for _, rule := range f.rules {
		fixed[rule.yield] = true
	}
	return fixed
}
