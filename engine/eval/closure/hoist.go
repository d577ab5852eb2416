package closure

// hoist moves what asks only for the input and the parameters before all else
// in a body, so that a rule which does not apply is left before anything is
// read, called or gone through for it. Out of a scan that ends the body it moves
// what does not depend on the member.
//
// It decides which of a rule's errors are met in the way that OPA's index does:
// a rule with an equality of the input that does not hold is passed over,
// whatever comes before the equality.
func hoist(b *block, fixed map[local]bool) {
	h := &hoister{used: usageOf(b), fixed: fixed, known: make(map[local]bool)}
	h.from(b)
	b.statements = append(h.early, b.statements...)
}

type hoister struct {
	used  usage
	fixed map[local]bool
	known map[local]bool // set by what has been moved
	early []statement
}

// from takes what can be moved out of a block.
func (h *hoister) from(b *block) {
	kept := b.statements[:0:0]
	for i, s := range b.statements {
		if h.movable(s) {
			h.early = append(h.early, s)
			continue
		}
		if inner, isScan := s.(*scan); isScan && i == len(b.statements)-1 {
			h.from(inner.body)
		}
		kept = append(kept, s)
	}
	b.statements = kept
}

func (h *hoister) movable(s statement) bool {
	switch s := s.(type) {
	case *assign:
		if h.fixed[s.to] || h.used.set[s.to] != 1 || h.used.asked[s.to] || !h.asksInput(s.value) {
			return false
		}
		h.known[s.to] = true
		return true
	case *equal:
		return h.asksInput(s.a) && h.asksInput(s.b)
	case *differ:
		return h.asksInput(s.a) && h.asksInput(s.b)
	default:
		return false
	}
}

// asksInput reports whether an expression asks only for the input, the parameters
// and what has been moved, and cannot err.
func (h *hoister) asksInput(e expression) bool {
	switch e := e.(type) {
	case read:
		return h.known[e.from] || h.fixed[e.from] && h.used.set[e.from] == 0
	case constant, inputDocument:
		return true
	case dot:
		return h.asksInput(e.of) && h.asksInput(e.key)
	case callBuiltin:
		if !quietBuiltins[e.name] && !(e.name == memberBuiltin && isCollection(e.args[1])) {
			return false
		}
		for _, arg := range e.args {
			if !h.asksInput(arg) {
				return false
			}
		}
		return true
	default:
		return false
	}
}

// memberBuiltin is what x in xs is compiled to.
const memberBuiltin = "internal.member_2"

// isCollection reports whether an expression is a constant collection.
func isCollection(e expression) bool {
	c, isConstant := e.(constant)
	if !isConstant {
		return false
	}
	_, is := kindOf(c.term)
	return is
}
