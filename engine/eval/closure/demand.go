package closure

import (
	"fmt"
	"maps"
	"slices"

	"github.com/verdictpdp/verdict/engine/eval/closure/native"
	"github.com/verdictpdp/verdict/policy/rego"
)

// onDemand makes calls of partial rules for known keys, p[x], calls of functions
// of the keys that evaluate what can yield them and nothing else, as OPA does. A
// rule whose key is another constant is not evaluated, and neither are conflicts
// of other keys met.
func onDemand(t *tree) {
	d := &demander{tree: t, variants: make(map[string]*function)}
	d.rewrite(t.plan)
	for i := 0; i < len(t.functions); i++ { // which variants are added to
		for _, b := range t.functions[i].blocks() {
			d.rewrite(b)
		}
	}
}

type demander struct {
	tree     *tree
	variants map[string]*function
}

func (d *demander) rewrite(b *block) {
	var visit func(e expression) expression
	visit = func(e expression) expression {
		if chain, isDot := e.(dot); isDot {
			if asked, is := d.asked(chain); is {
				e = asked
			}
		}
		return eachPart(e, visit)
	}
	everyOperand(b, visit)
}

// asked is a chain of dots as a call on demand, and the dots that are left.
func (d *demander) asked(chain dot) (expression, bool) {
	p := pathOf(chain)
	called, isCall := p.root.(call)
	if !isCall || called.function.kind == complete {
		return nil, false
	}
	keys := len(p.keys)
	if slices.ContainsFunc(called.function.blocks(), mayErrWithin) {
		keys = keysAsked(chain, called)
	}
	if keys == 0 {
		return nil, false
	}
	variant, taken := d.variant(called.function, keys)
	if variant == nil {
		return nil, false
	}
	var e expression = call{variant, arguments{slices.Concat(called.args, p.keys[:taken]), called.at}}
	for _, key := range p.keys[taken:] {
		e = dot{e, key, chain.at}
	}
	return e, true
}

// keysAsked is how many keys a rule is asked for in one reference, p[x]. Where a
// local stands between them, v := p and then v[x], OPA evaluates the rule as a whole
// first.
func keysAsked(chain dot, called call) int {
	asked := 0
	for {
		asked++
		if chain.at != called.at {
			asked = 0
		}
		of, isDot := chain.of.(dot)
		if !isDot {
			return asked
		}
		chain = of
	}
}

// variant is a function's variant for so many keys, and how many it takes.
func (d *demander) variant(f *function, keys int) (*function, int) {
	shape, depth := shapeOf(f)
	switch shape {
	case noShape:
		return nil, 0
	case ofMembers: // of sets, at the end of a path of the depth
		depth++
	}
	taken := min(keys, depth)
	name := fmt.Sprintf("%s/%d", f.name, taken)
	known, found := d.variants[name]
	if !found {
		known = vary(f, name, taken, depth, shape)
		d.variants[name] = known
		if known != nil {
			d.tree.functions = append(d.tree.functions, known)
		}
	}
	return known, taken
}

// A shape is what all rules of a partial function add.
type shape uint8

const (
	noShape   shape = iota
	ofValues        // values at paths in an object
	ofMembers       // members of a set, or of sets at paths in an object
)

// shapeOf is the shape of a function whose rules agree in it and in the length
// of their paths.
func shapeOf(f *function) (found shape, depth int) {
	for i, rule := range f.rules {
		s, n := additionOf(f, rule.bodies[0])
		if s == noShape || len(rule.bodies) != 1 || i > 0 && (s != found || n != depth) {
			return noShape, 0
		}
		found, depth = s, n
	}
	return found, depth
}

// additionOf is what a body adds to the result. Where it does so in several
// places, as the plan of a reference over rules and base documents makes it, it
// has to be the same in all of them.
func additionOf(f *function, b *block) (found shape, depth int) {
	odd, first := false, true
	note := func(s shape, n int) {
		odd = odd || !first && (s != found || n != depth)
		found, depth, first = s, n, false
	}
	everyStatement(b, func(s statement) {
		switch s := s.(type) {
		case *addTo:
			if s.set == f.result {
				note(ofMembers, 0)
			}
		case *insert:
			if s.object == f.result {
				note(ofValues, 1)
				odd = odd || !s.once
			}
		case *insertDeep:
			switch {
			case s.object != f.result:
			case s.member != nil:
				note(ofMembers, len(s.path))
			default:
				note(ofValues, len(s.path))
			}
		case *group:
			if from, _, _, _ := getOrCreate(s); from == f.result {
				odd = true
			}
		}
	})
	if odd || first {
		return noShape, 0
	}
	return found, depth
}

// vary makes the variant of a function for so many keys of depth.
func vary(f *function, name string, keys, depth int, of shape) *function {
	v := &function{name: name, result: f.result, locals: f.locals + keys, at: f.at, rests: f, kind: complete}
	for i := range keys {
		v.keys = append(v.keys, local(f.locals+i))
	}
	v.params = slices.Concat(f.params, v.keys)
	if keys < depth {
		v.kind, v.absentIfEmpty = objectOf, true
		if of == ofMembers && keys == depth-1 {
			v.kind = setOf
		}
	}
	for _, rule := range f.rules {
		body := copyOf(rule.bodies[0])
		demand(v, body)
		v.rules = append(v.rules, &chain{bodies: []*block{body}, yield: v.result, at: rule.at})
	}
	return v
}

// demand makes a body add only at the keys that a variant is called with. A key
// is compared as soon as it is known, if it is the same wherever the body adds.
func demand(v *function, b *block) {
	used := usageOf(b)
	var all [][]expression
	everyStatement(b, func(s statement) {
		if added, _ := keysOf(v, s); added != nil {
			all = append(all, added)
		}
	})
	var early []*equal
	for i, key := range v.keys {
		e := all[0][i]
		r, isRead := e.(read)
		switch {
		case isRead && used.set[r.from] == 1 && !used.asked[r.from] && !slices.ContainsFunc(all, func(added []expression) bool { return added[i] != e }):
		case isConstant(e) && !slices.ContainsFunc(all, func(added []expression) bool { return !sameConstant(added[i], e) }):
		default:
			continue
		}
		early = append(early, &equal{e, read{key}, v.at})
	}
	everyBlock(b, func(b *block) {
		var out []statement
		for _, s := range b.statements {
			added, at := keysOf(v, s)
			if added == nil {
				out = append(out, s)
				continue
			}
			for i, key := range v.keys {
				if !slices.ContainsFunc(early, func(check *equal) bool { return check.b == expression(read{key}) }) {
					out = append(out, &equal{added[i], read{key}, at})
				}
			}
			out = append(out, remainder(v, s))
		}
		b.statements = out
	})
	for _, check := range slices.Backward(early) {
		place(b, check)
	}
}

// withKeys are locals with those that the variables of a head's keys stand for,
// where they hold what is known before something that may err, and are set behind
// it. Those stay as the policy has them, so that each is found to be the key that is
// asked for, or not, in its place.
func withKeys(fixed map[local]bool, b *block) map[local]bool {
	var keys []local
	note := func(key expression, at atPlace) {
		if r, isRead := key.(read); isRead && rego.VariableKey(at) && setLate(b, r.from, nil) {
			keys = append(keys, r.from)
		}
	}
	everyStatement(b, func(s statement) {
		switch s := s.(type) {
		case *addTo:
			note(s.value, s.at)
		case *insert:
			note(s.key, s.at)
		}
	})
	if len(keys) == 0 {
		return fixed
	}
	fixed = maps.Clone(fixed)
	for _, key := range keys {
		fixed[key] = true
	}
	return fixed
}

// setLate reports whether something that may err stands between what tells what a
// local is set to and the statement that sets it. Before the block stands what is
// given.
func setLate(b *block, l local, before []earlier) bool {
	for _, s := range b.statements {
		for _, nested := range inner(s) {
			if setLate(nested, l, append(before[:len(before):len(before)], earlier{s, true})) {
				return true
			}
		}
		if slices.Contains(sets(s), l) {
			return !ofHead(s) && mayErrSince(append(before, earlier{s, false}), read{l})
		}
		before = append(before, earlier{s, false})
	}
	return false
}

// ofHead reports whether a statement that sets a key is one of a head, which writes
// the key out, and none of a body.
func ofHead(s statement) bool {
	switch s := s.(type) {
	case *create:
		return true
	case *assign:
		return rego.VariableKey(s.at)
	default:
		return false
	}
}

// An earlier is a statement before another: as a whole, or the part of it that
// comes before a block in it.
type earlier struct {
	statement
	around bool
}

// mayErrSince reports whether statements may err behind the one that tells what a
// local is set to. Constants, and what stands in the input, are known before all of
// them.
func mayErrSince(before []earlier, of expression) bool {
	for _, s := range slices.Backward(before) {
		if r, isRead := of.(read); isRead && slices.Contains(sets(s.statement), r.from) {
			switch s := s.statement.(type) {
			case *keep:
				of = s.value
			case *assign:
				of = s.value
			case *create:
				of = nothing{}
			default:
				return false
			}
			for d, isDot := of.(dot); isDot && isConstant(d.key); d, isDot = of.(dot) {
				of = d.of
			}
			switch of.(type) {
			case read, constant, inputDocument, nothing:
				continue
			default:
				return false
			}
		}
		if s.around && mayErrItself(s.statement) || !s.around && mayErrIn(s.statement) {
			return true
		}
	}
	return false
}

func sameConstant(a, b expression) bool {
	x, isConstant := a.(constant)
	y, areConstants := b.(constant)
	return isConstant && areConstants && native.Equal(x.term, y.term)
}

// keysOf are the keys of what a statement adds to the result, a member of a set
// the last; nil where it adds nothing.
func keysOf(v *function, s statement) ([]expression, atPlace) {
	switch s := s.(type) {
	case *addTo:
		if s.set == v.result {
			return []expression{s.value}, s.at
		}
	case *insert:
		if s.object == v.result {
			return []expression{s.key}, s.at
		}
	case *insertDeep:
		if s.object == v.result {
			keys := s.path[:len(s.path):len(s.path)]
			if s.member != nil {
				keys = append(keys, s.member)
			}
			return keys, s.at
		}
	}
	return nil, nil
}

// remainder is what is left to add once the keys are those asked for.
func remainder(v *function, s statement) statement {
	keys := len(v.keys)
	switch s := s.(type) {
	case *insert:
		return &assignOnce{to: v.result, value: s.value, at: s.at, ofKey: true}
	case *insertDeep:
		switch {
		case s.member == nil && keys == len(s.path):
			return &assignOnce{to: v.result, value: s.value, at: s.at, ofKey: true}
		case s.member != nil && keys == len(s.path):
			return &addTo{v.result, s.member, s.at}
		case keys < len(s.path):
			return &insertDeep{object: v.result, path: s.path[keys:], value: s.value, member: s.member, at: s.at}
		}
	}
	return &assignOnce{to: v.result, value: read{v.keys[keys-1]}, at: placeOf(s), ofKey: true}
}

func placeOf(s statement) atPlace {
	switch s := s.(type) {
	case *addTo:
		return s.at
	case *insertDeep:
		return s.at
	default:
		return nil
	}
}

// pick makes a loop over a collection, of which only the key that is checked is
// wanted, a look at that key.
func pick(loop *scan, check *equal) statement {
	found := &assign{loop.value, dot{loop.of, check.b, loop.at}, loop.at}
	key := &keep{loop.key, check.b}
	return &group{blocks: []*block{{append([]statement{found, key}, loop.body.statements...)}}}
}

// place puts a check right behind what sets the local that it compares, or at
// the beginning of the body where nothing in it does.
func place(b *block, check *equal) {
	l, placed := none, false
	if r, isRead := check.a.(read); isRead {
		l = r.from
	}
	everyBlock(b, func(b *block) {
		if placed {
			return
		}
		for i, s := range b.statements {
			if loop, isScan := s.(*scan); isScan && l != none && (loop.key == l || loop.value == l) {
				if loop.key == l {
					b.statements[i] = pick(loop, check)
				} else {
					loop.body.statements = append([]statement{check}, loop.body.statements...)
				}
				placed = true
				return
			}
			for _, set := range sets(s) {
				if set == l {
					b.statements = append(b.statements[:i+1:i+1], append([]statement{check}, b.statements[i+1:]...)...)
					placed = true
					return
				}
			}
		}
	})
	if placed {
		return
	}
	if whole, isObserved := at[*observed](b.statements, 0); isObserved && whole.step < 0 {
		b = whole.then // where the rule is being tried
	}
	b.statements = append([]statement{check}, b.statements...)
}
