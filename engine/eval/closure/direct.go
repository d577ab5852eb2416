package closure

// yieldDirectly makes the bodies of rules without elses assign to the function's
// result. The plan has each assign to a local of its own first, which tells an
// else whether what goes before it has yielded.
func yieldDirectly(f *function) {
	if f.kind != complete {
		return
	}
	for _, rule := range f.rules {
		if len(rule.bodies) > 1 {
			continue
		}
		kept := rule.bodies[0].statements[:0]
		for _, s := range rule.bodies[0].statements {
			if r, isReset := s.(*reset); isReset && r.local == rule.yield {
				continue
			}
			kept = append(kept, s)
		}
		rule.bodies[0].statements = kept
		everyStatement(rule.bodies[0], func(s statement) {
			if once, isOnce := s.(*assignOnce); isOnce && once.to == rule.yield {
				once.to = f.result
			}
		})
		rule.yield = f.result
	}
}
