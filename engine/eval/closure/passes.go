package closure

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
	filtersPass                    // see filterOf
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
	for left := int64(maxFolding); s.runs(staticPass); {
		folded, err := s.foldFunctions(t, &left)
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
	held := s.refine(t, t.functions)
	before := len(t.functions)
	if s.runs(demandPass) {
		onDemand(t)
	}
	s.refine(t, append(held, t.functions[before:]...))
	for _, f := range t.functions {
		s.pause()
		f.dispatch = s.dispatchOf(f)
		for _, rule := range f.rules {
			if rule.filter = nil; s.runs(filtersPass) {
				rule.filter = filterOf(f, rule.bodies, nil)
			}
		}
	}
}

// refine runs the passes that look at one body at a time. The functions are returned
// in which they have left keys as the policy has them, for onDemand.
func (s source) refine(t *tree, functions []*function) (held []*function) {
	for _, f := range functions {
		s.pause()
		holds := false
		yieldDirectly(f)
		fixed := f.fixed()
		for _, b := range f.blocks() {
			if !f.refined {
				asPlanned(b)
			}
			known := fixed
			if !f.refined {
				known = withKeys(fixed, b)
				holds = holds || len(known) > len(fixed)
			}
			s.body(b, known)
			if s.runs(hoistPass) && !f.refined {
				hoist(b, known, f.keys)
			}
		}
		if s.runs(exitsPass) && !f.refined {
			findExits(f)
		}
		f.refined = true
		if holds {
			held = append(held, f)
		}
	}
	if !t.refined {
		asPlanned(t.plan)
	}
	s.body(t.plan, t.answers)
	t.refined = true
	return held
}

// asPlanned runs the passes that know statements by the form that the plan gives
// them: once, before others change it.
func asPlanned(b *block) {
	simplify(b)
	baseFirst(b)
	endEvery(b)
	endScopes(b)
}

// body refines one body.
func (s source) body(b *block, fixed map[local]bool) {
	simplify(b)
	if s.runs(constantsPass) {
		foldConstants(b, fixed)
	}
	if s.runs(inlinePass) {
		inline(b, fixed)
	}
	dropKeys(b)
	if s.runs(literalsPass) {
		foldLiterals(b, fixed)
	}
	if s.runs(inlinePass) {
		inline(b, fixed)
	}
	foldNests(b)
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
