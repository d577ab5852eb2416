package closure

import (
	"maps"
	"slices"
	"strings"

	"github.com/open-policy-agent/opa/v1/ast"

	"github.com/verdictpdp/verdict/engine/eval/closure/native"
)

// specialise makes the variant of a tree for the requests of which some fields
// are known, such as those that read a document: what they decide is decided
// once, and rules that are about other requests are not in it. Functions that are
// called with constants get variants as well.
//
// The tree must have been optimised, and is left as it is. Nil is returned where
// the variant would have more statements than most.
//
// Inside a with on input the request is another one: there the functions of the
// tree are called as they are.
func specialise(t *tree, known map[string]*ast.Term, static *ast.Term, most int) *tree {
	s := &specialiser{
		known:   known,
		to:      &tree{locals: t.locals, answers: t.answers, refined: true},
		copies:  make(map[variantName]*function),
		taken:   make(map[*function]*function),
		left:    most,
		resolve: resolver{static: static, dataReplaced: replacesData(t)},
	}
	s.to.plan = s.body(t.plan, nil, t.answers)
	if s.left < 0 {
		return nil
	}
	for _, v := range s.copies {
		if whole := s.copies[variantName{v.rests, ""}]; whole != nil {
			v.rests = whole
		}
	}
	return s.to
}

type specialiser struct {
	known   map[string]*ast.Term // by the names of fields
	to      *tree
	copies  map[variantName]*function
	taken   map[*function]*function // as they are
	left    int                     // statements, before it is too many
	resolve resolver
}

// A variantName tells the variants of a function apart: by the arguments that
// are constants.
type variantName struct {
	of   *function
	args string
}

// function is the variant of a function for some of its arguments, by their
// parameters.
func (s *specialiser) function(f *function, args map[local]*ast.Term) *function {
	var name strings.Builder
	for _, param := range f.params {
		if arg := args[param]; arg != nil {
			name.WriteString(arg.String())
		}
		name.WriteByte(0)
	}
	if len(args) == 0 {
		name.Reset()
	}
	id := variantName{f, name.String()}
	if known := s.copies[id]; known != nil {
		return known
	}
	v := new(*f)
	s.copies[id] = v
	isKnown := func(l local) bool { return args[l] != nil }
	v.origin, v.dispatch = f.first(), nil
	v.params = slices.DeleteFunc(slices.Clone(f.params), isKnown)
	v.keys = slices.DeleteFunc(slices.Clone(f.keys), isKnown)
	if len(v.keys) == 0 {
		v.rests = nil
	}
	v.folded = f.folded && len(f.params) == 0
	applicable, indexed := s.applicable(f, args)
	rules := make([]*chain, len(applicable))
	for i, rule := range applicable {
		rules[i] = f.rules[rule]
	}
	tried := rules
	if !indexed {
		tried = f.rules
	}
	v.mixed = f.mixed || !uniform(tried)
	s.fill(v, rules, func(b *block, yield local) *block {
		fixed := v.fixed()
		fixed[yield] = true
		if b = s.body(b, args, fixed); neverHolds(b) && yield != none {
			return nil
		}
		return b
	})
	return v
}

// fill gives a function that begins as a copy of another its own rules and its own
// default, and adds it to the tree. Body makes what a body becomes that assigns to
// a local, none for a default; nil leaves the body out, and a rule of which none is
// left.
func (s *specialiser) fill(v *function, rules []*chain, body func(b *block, yield local) *block) {
	otherwise := v.otherwise
	v.rules, v.otherwise = nil, nil
	for _, rule := range rules {
		if s.left < 0 {
			break
		}
		copied := new(*rule)
		copied.bodies, copied.filter = nil, nil
		for _, b := range rule.bodies {
			if b = body(b, rule.yield); b != nil {
				copied.bodies = append(copied.bodies, b)
			}
		}
		if len(copied.bodies) > 0 {
			v.rules = append(v.rules, copied)
		}
	}
	if otherwise != nil {
		v.otherwise = body(otherwise, none)
	}
	s.to.functions = append(s.to.functions, v)
}

// first is the function that another is a variant of for known requests.
func (f *function) first() *function {
	if f.origin != nil {
		return f.origin
	}
	return f
}

// applicable are the rules of a function that its table does not rule out, and
// whether OPA's index looks at all that the table was asked for.
func (s *specialiser) applicable(f *function, args map[local]*ast.Term) (rules []int, indexed bool) {
	if f.dispatch == nil {
		all := make([]int, len(f.rules))
		for i := range all {
			all[i] = i
		}
		return all, true
	}
	indexed = true
	found := make(map[int]bool)
	var visit func(d *dispatch)
	visit = func(d *dispatch) {
		if d.subject == nil {
			for _, rule := range d.rules {
				found[rule] = true
			}
			return
		}
		indexed = indexed && !d.ours
		switch subject := s.resolve.expression(s.substituted(d.subject, args)).(type) {
		case constant:
			for _, b := range d.byValue {
				if native.Equal(b.value, subject.term) {
					visit(b.to)
					return
				}
			}
		case nothing:
		default:
			for _, b := range d.byValue {
				visit(b.to)
			}
		}
		visit(d.otherwise)
	}
	visit(f.dispatch)
	return slices.Sorted(maps.Keys(found)), indexed
}

// body is a body with all that is known put in.
func (s *specialiser) body(b *block, args map[local]*ast.Term, fixed map[local]bool) *block {
	b = copyOf(b)
	if len(args) > 0 {
		used := usageOf(b)
		for l := range args {
			if used.set[l] > 0 {
				panic("a parameter is set") // see constants
			}
		}
	}
	s.substitute(b, args, false)
	s.resolve.body(b, fixed)
	s.calls(b, false)
	s.resolve.body(b, fixed)
	everyStatement(b, func(statement) { s.left-- })
	return b
}

// substitute puts known fields and arguments into a block.
func (s *specialiser) substitute(b *block, args map[local]*ast.Term, other bool) {
	for _, st := range b.statements {
		eachOperand(st, func(e expression) expression {
			if other {
				return withArguments(e, args)
			}
			return s.substituted(e, args)
		})
		r, replaces := st.(*replace)
		for _, nested := range inner(st) {
			s.substitute(nested, args, other || replaces && r.input)
		}
	}
}

func withArguments(e expression, args map[local]*ast.Term) expression {
	return inPlaceOfReads(e, func(l local) expression {
		if arg := args[l]; arg != nil {
			return constant{arg}
		}
		return nil
	})
}

func (s *specialiser) substituted(e expression, args map[local]*ast.Term) expression {
	var fields func(e expression) expression
	fields = func(e expression) expression {
		if d, isDot := e.(dot); isDot {
			if term := s.field(d); term != nil {
				return constant{term}
			}
		}
		return eachPart(e, fields)
	}
	return withArguments(fields(e), args)
}

// field is the value of a path that is a known field of the request; nil for
// others.
func (s *specialiser) field(d dot) *ast.Term {
	p := pathOf(d)
	names := p.names()
	if _, inInput := p.root.(inputDocument); !inInput || len(names) != len(p.keys) {
		return nil
	}
	return s.known[fieldName(names)]
}

// calls puts variants in the place of the functions that a block calls, and what
// they are known to yield in the place of the calls.
func (s *specialiser) calls(b *block, other bool) {
	var visit func(e expression) expression
	visit = func(e expression) expression {
		e = eachPart(e, visit)
		switch e := e.(type) {
		case call:
			if !other {
				return s.call(e)
			}
			e.function = s.take(e.function)
			return e
		case callDynamic:
			e.group = s.group(e.group)
			return e
		}
		return e
	}
	for _, st := range b.statements {
		eachOperand(st, visit)
		r, replaces := st.(*replace)
		for _, nested := range inner(st) {
			s.calls(nested, other || replaces && r.input)
		}
	}
}

// take is a copy of a function as it is, with copies of those that it calls.
func (s *specialiser) take(f *function) *function {
	if known := s.taken[f]; known != nil {
		return known
	}
	v := new(*f)
	s.taken[f] = v
	v.origin = f.first()
	if f.rests != nil {
		v.rests = s.take(f.rests)
	}
	s.fill(v, f.rules, func(b *block, _ local) *block {
		b = copyOf(b)
		s.calls(b, true)
		everyStatement(b, func(statement) { s.left-- })
		return b
	})
	return v
}

// group is a group of functions as they are.
func (s *specialiser) group(g *functionGroup) *functionGroup {
	copied := &functionGroup{byPath: make(map[string]*function)}
	for path, f := range g.byPath {
		copied.byPath[path] = s.take(f)
	}
	return copied
}

// call is a call of the variant for the arguments that are constants.
func (s *specialiser) call(e call) expression {
	args, others := s.constants(e)
	v := s.function(e.function, args)
	if len(others) == 0 {
		if outcome := outcomeOf(v); outcome != nil {
			return outcome
		}
	}
	return call{v, arguments{others, e.at}}
}

// constants are the arguments of a call that are constants, by their parameters,
// and the other arguments. A partial rule on demand has constants for all of its
// keys or for none, for it is remembered by them.
func (s *specialiser) constants(e call) (known map[local]*ast.Term, others []expression) {
	f := e.function
	if f.rests != nil && slices.ContainsFunc(e.args, func(arg expression) bool { return !isConstant(arg) }) {
		return nil, e.args
	}
	set := make(map[local]bool)
	for _, b := range f.blocks() {
		everyStatement(b, func(st statement) {
			for _, l := range sets(st) {
				set[l] = true
			}
		})
	}
	known = make(map[local]*ast.Term)
	for i, arg := range e.args {
		if k, is := arg.(constant); is && !set[f.params[i]] {
			known[f.params[i]] = k.term
		} else {
			others = append(others, arg)
		}
	}
	return known, others
}

// outcomeOf is what a function without parameters is known to come to, without
// running it; nil where that is not known.
func outcomeOf(f *function) expression {
	switch {
	case f.kind != complete && len(f.rules) > 0:
		return nil
	case f.kind != complete && f.absentIfEmpty:
		return nothing{}
	case f.kind == setOf:
		return constant{ast.InternedEmptySet}
	case f.kind == objectOf:
		return constant{ast.InternedEmptyObject}
	case len(f.rules) == 0 && f.otherwise == nil:
		return nothing{}
	case len(f.rules) == 0:
		return yieldOf(f.otherwise, f.result)
	}
	if (len(f.rules) == 1 || uniform(f.rules) && !f.mixed) && len(f.rules[0].bodies) == 1 {
		return yieldOf(f.rules[0].bodies[0], f.rules[0].yield)
	}
	return nil
}

// yieldOf is the constant that a body without conditions yields; nil where it
// has any.
func yieldOf(b *block, yield local) expression {
	for _, st := range b.statements {
		switch st := st.(type) {
		case *reset:
			continue
		case *isDefined:
			if st.local == yield && !st.defined { // a default's
				continue
			}
		case *assign:
			if k, is := st.value.(constant); is && st.to == yield {
				return k
			}
		case *assignOnce:
			if k, is := st.value.(constant); is && st.to == yield {
				return k
			}
		}
		return nil
	}
	return nil
}
