package explain

import (
	"github.com/open-policy-agent/opa/v1/ast"
)

// An Operand is a part of an expression: a ref, a variable or a call.
type Operand struct {
	// Text is the part as it stands in the source.
	Text string
	// Values is an array comprehension that finds its value, in the terms of
	// the compiled rule: empty where the part is undefined.
	Values *ast.Term
	// Each is whether the part goes through a collection, as in xs[_].name, and
	// so has several values.
	Each bool
	// Needs are the variables of the rule that the comprehension reads.
	Needs []ast.Var
	// Data is whether it reads the document data.
	Data bool
}

// A reader finds the operands of a rule.
type reader struct {
	policy  *Policy
	rule    *Rule
	module  *ast.Module         // of the source
	known   []ast.VarSet        // which variables have values where a step is come to
	written map[extent]ast.Var  // the source's variables, as the compiler names them
	made    map[extent]ast.Var  // parts of the source that the compiler has given a variable
	withs   map[int][]*ast.With // of each expression, as compiled
}

// read finds the expressions and operands of a rule.
func (r *reader) read(source *ast.Rule) {
	bodies := r.rule.divide(source)
	r.follow()
	r.rule.operands = make([][]Operand, r.rule.End()+1)
	r.rule.untold = make([]int, r.rule.End()+1)
	if r.rule.head >= 0 {
		r.operands(r.rule.End(), nil, partsOf(source.Head))
	}
	for step, owner := range r.rule.owner {
		if owner < 0 {
			continue
		}
		var parts []part
		if body := bodies[owner]; body != nil {
			parts = partsOf(body)
		} else {
			parts = partsOf(source.Head)
		}
		r.operands(step, r.withs[owner], parts)
	}
	r.rule.asks = asksOf(asksOf(nil, r.rule.Compiled.Body), r.rule.Compiled.Head)
}

// follow goes through the steps and notes what each leaves behind.
func (r *reader) follow() {
	compiled := r.rule.Compiled
	renamed := r.policy.renamed
	r.written, r.made, r.withs = make(map[extent]ast.Var), make(map[extent]ast.Var), make(map[int][]*ast.With)
	note := func(term *ast.Term) bool {
		name, isVar := term.Value.(ast.Var)
		if !isVar || term.Location == nil {
			return false
		}
		original, isRenamed := renamed[name]
		if !isRenamed {
			original = name
		}
		if string(original) == string(term.Location.Text) || name.IsWildcard() {
			r.written[extentOf(term.Location)] = name
		}
		return false
	}
	ast.WalkTerms(compiled.Head, note)
	known := ast.NewVarSet()
	for _, arg := range compiled.Head.Args {
		known.Update(arg.Vars())
	}
	for step, expr := range compiled.Body {
		ast.WalkTerms(expr, note)
		r.known = append(r.known, known.Copy())
		known.Update(given(expr))
		if name, at := result(expr); at != nil {
			r.made[extentOf(at)] = name
		}
		if len(expr.With) > 0 {
			r.withs[r.rule.owner[step]] = expr.With
		}
	}
	r.known = append(r.known, known)
}

// given are the variables that have values where an expression holds.
func given(expr *ast.Expr) ast.VarSet {
	switch expr.Terms.(type) {
	case *ast.Term, []*ast.Term:
		if !expr.Negated {
			return expr.Vars(ast.VarVisitorParams{SkipClosures: true, SkipRefCallHead: true})
		}
	}
	return nil
}

// result is the variable that an expression gives the value of a part of the
// source, and where that part stands; nil where it does no such thing.
func result(expr *ast.Expr) (ast.Var, *ast.Location) {
	operands := expr.Operands()
	if !expr.IsCall() || expr.Negated || len(operands) == 0 {
		return "", nil
	}
	of := operands[len(operands)-1]
	if expr.IsEquality() {
		_, isRef := operands[1].Value.(ast.Ref)
		if of = operands[0]; !isRef {
			return "", nil
		}
	}
	name, isVar := of.Value.(ast.Var)
	if !isVar || extentOf(of.Location) != extentOf(expr.Location) {
		return "", nil
	}
	return name, of.Location
}

// operands finds those of an expression, under its withs, where a step is come to,
// and how many more there are than are told.
func (r *reader) operands(step int, withs []*ast.With, parts []part) {
	seen := make(map[string]bool)
	for _, p := range parts {
		text := line(p.term.Location.Text)
		if seen[text] {
			continue
		}
		b := builder{reader: r, step: step, at: p.term.Location}
		if !p.with {
			b.with = withs
		}
		o, found := b.operand(p.term)
		switch {
		case found && len(r.rule.operands[step]) < maxOperands:
			o.Text = cut(text, maxTextBytes)
			r.rule.operands[step] = append(r.rule.operands[step], o)
		case found || b.large:
			r.rule.untold[step]++
		}
		seen[text] = found || b.large
	}
}
