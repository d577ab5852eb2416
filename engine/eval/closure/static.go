package closure

import (
	"context"
	"time"

	"github.com/open-policy-agent/opa/v1/ast"

	"github.com/verdictpdp/verdict/engine/eval"
)

// foldFunctions runs the rules that depend on nothing but the bundle, by the
// program's own code, and puts what they yield in the place of their calls. It
// reports whether there were any.
//
// A rule that reads static data is left alone where a with replaces a part of
// data anywhere in the policy. So are all that are left when there are no more steps
// left, of which those are taken that were made.
func (s source) foldFunctions(t *tree, left *int64) (bool, error) {
	found := &statics{known: make(map[*function]verdict), dataReplaced: replacesData(t)}
	places, _, err := layout(t) // of what is called: nothing else has places to run in
	if err != nil {
		return false, err
	}
	var candidates []*function
	for _, f := range t.functions {
		if _, isCalled := places[f]; isCalled && len(f.params) == 0 && !f.folded && found.of(f) == isStatic {
			candidates = append(candidates, f)
		}
	}
	if len(candidates) == 0 {
		return false, nil
	}
	x, err := s.encode(t)
	if err != nil {
		return false, err
	}
	by := make(map[*function]*ast.Term)
	for _, f := range candidates {
		f.folded = true
		s.pause()
		if term := x.yieldOf(f, s.static, left); term != nil {
			by[f] = term
		}
	}
	if len(by) == 0 {
		return false, nil
	}
	var visit func(e expression) expression
	visit = func(e expression) expression {
		if called, isCall := e.(call); isCall && by[called.function] != nil {
			return constant{by[called.function]}
		}
		return eachPart(e, visit)
	}
	t.eachBlock(func(b *block) { everyOperand(b, visit) })
	return true, nil
}

// maxFoldSteps bounds what is run at activation for one rule: what takes more than a
// decision may take would never be known at all.
const maxFoldSteps = eval.DefaultSteps

// maxFolding bounds what is run at activation for all of them: of rules that take too much,
// each that rests on another has its steps as well.
const maxFolding = 10 * maxFoldSteps

// yieldOf is what a function without parameters yields, nil where that is
// nothing, takes too long or errs.
func (x *executable) yieldOf(f *function, static *ast.Term, left *int64) *ast.Term {
	steps := min(*left, maxFoldSteps)
	if steps <= 0 {
		return nil
	}
	m := x.machine(&run{ctx: context.Background(), static: static, now: time.Unix(0, 0), steps: steps})
	defer x.release(m)
	term := settle(m, x.routines[f].run(m))
	*left -= steps - max(0, m.steps+int64(m.untilLook))
	if m.err != nil || m.fault != nil || term != nil && weight(term.Value, maxFoldSteps) > maxFoldSteps {
		return nil
	}
	sorted(term)
	return term
}

// sorted puts sets and objects in order, which OPA does when they are first gone
// through, before several evaluations share them.
func sorted(t *ast.Term) {
	if t == nil {
		return
	}
	switch v := t.Value.(type) {
	case *ast.Array:
		v.Foreach(sorted)
	case ast.Set:
		for _, member := range v.Slice() {
			sorted(member)
		}
	case ast.Object:
		for _, key := range v.Keys() {
			sorted(key)
			sorted(v.Get(key))
		}
	}
}

// A verdict is whether a function depends on the bundle alone.
type verdict uint8

const (
	isOpen verdict = iota + 1 // being looked at
	isStatic
	isNot
)

type statics struct {
	known        map[*function]verdict
	dataReplaced bool
}

func (s *statics) of(f *function) verdict {
	if known := s.known[f]; known != 0 {
		return known
	}
	s.known[f] = isOpen
	result := isStatic
	for _, b := range f.blocks() {
		everyStatement(b, func(st statement) {
			if _, replaces := st.(*replace); replaces {
				result = isNot
			}
			eachOperand(st, func(e expression) expression {
				if !s.static(e) {
					result = isNot
				}
				return e
			})
		})
	}
	s.known[f] = result
	return result
}

// static reports whether an expression depends on the bundle and on locals
// alone.
func (s *statics) static(e expression) bool {
	switch e := e.(type) {
	case inputDocument, dataDocument, callDynamic:
		return false
	case dot:
		if p := pathOf(e); isData(p.root) {
			names := p.names()
			if s.dataReplaced || len(names) == 0 || names[0] == directoryName {
				return false
			}
			for _, key := range p.keys[len(names):] {
				if !s.static(key) {
					return false
				}
			}
			return true
		}
	case call:
		if s.of(e.function) != isStatic {
			return false
		}
	case callBuiltin:
		if !deterministic(e.name) {
			return false
		}
	}
	ok := true
	eachPart(e, func(part expression) expression {
		ok = ok && s.static(part)
		return part
	})
	return ok
}

func isData(e expression) bool { _, is := e.(dataDocument); return is }

// deterministic reports whether a built-in depends on its operands alone.
func deterministic(name string) bool {
	b := ast.BuiltinMap[name]
	return b != nil && !readsTheClock[name] && !b.Nondeterministic && b.Decl.Result() != nil && name != ast.NowNanos.Name
}

// readsTheClock are built-ins that OPA does not declare to depend on the time:
// whether a certificate is valid.
var readsTheClock = map[string]bool{
	ast.CryptoX509ParseAndVerifyCertificates.Name:            true,
	ast.CryptoX509ParseAndVerifyCertificatesWithOptions.Name: true,
}

// replacesData reports whether a with replaces a part of data.
func replacesData(t *tree) bool {
	found := false
	t.eachBlock(func(b *block) {
		everyStatement(b, func(s statement) {
			if r, replaces := s.(*replace); replaces && !r.input {
				found = true
			}
		})
	})
	return found
}
