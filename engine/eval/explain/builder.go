package explain

import (
	"fmt"
	"slices"

	"github.com/open-policy-agent/opa/v1/ast"
)

// A builder writes the comprehension of an operand.
type builder struct {
	*reader
	step int
	at   *ast.Location
	with []*ast.With // that the operand is under

	body  []*ast.Expr
	needs ast.VarSet
	each  bool
	data  bool
	large bool // it reads more of the directory than is told
	fresh int
}

// operand is false for a term whose value cannot be told or is not there yet,
// such as a variable that the expression is to find.
func (b *builder) operand(t *ast.Term) (Operand, bool) {
	b.needs = ast.NewVarSet()
	value, found := b.value(t)
	if !found {
		return Operand{}, false
	}
	result := b.newVar()
	b.assign(result, value)
	o := Operand{Each: b.each, Data: b.data, Needs: b.needs.Sorted()}
	o.Values = ast.ArrayComprehensionTerm(result, ast.NewBody(b.body...)).SetLocation(b.at)
	return o, true
}

// newVar is a variable that no policy has.
func (b *builder) newVar() *ast.Term {
	b.fresh++
	return ast.VarTerm(fmt.Sprintf("__explained%d__", b.fresh)).SetLocation(b.at)
}

// assign adds an expression that gives a variable its value, under the withs of
// the expression where a document is read.
func (b *builder) assign(to, value *ast.Term) {
	expr := ast.Equality.Expr(to, value).SetLocation(b.at)
	if _, isRef := value.Value.(ast.Ref); isRef && len(b.with) > 0 {
		expr.With = b.with
	}
	b.body = append(b.body, expr)
}

// value is a term of the source as a term of the compiled rule.
func (b *builder) value(t *ast.Term) (*ast.Term, bool) {
	if name, isMade := b.made[extentOf(t.Location)]; isMade && b.known[b.step].Contains(name) {
		return b.variable(name), true
	}
	switch v := t.Value.(type) {
	case ast.Var:
		ref, found := b.ref(ast.Ref{t})
		if found && len(ref.Value.(ast.Ref)) == 1 && !ast.RootDocumentNames.Contains(ref.Value.(ast.Ref)[0]) {
			return ref.Value.(ast.Ref)[0], true
		}
		return ref, found
	case ast.Ref:
		return b.ref(v)
	default:
		return nil, false
	}
}

func (b *builder) variable(name ast.Var) *ast.Term {
	b.needs.Add(name)
	return ast.NewTerm(name).SetLocation(b.at)
}

// ref is a ref of the source as one of the compiled rule.
func (b *builder) ref(source ast.Ref) (*ast.Term, bool) {
	ref, found := b.head(source[0])
	if !found {
		return nil, false
	}
	open := -1 // the first key that goes through a collection
	for _, key := range source[1:] {
		key, goesThrough, found := b.key(key)
		if !found {
			return nil, false
		}
		if goesThrough && open < 0 {
			open = len(ref)
		}
		ref = append(ref, key)
	}
	if ref.HasPrefix(ast.DefaultRootRef) {
		b.data = true
		if b.policy.calls[ref.String()] {
			return nil, false
		}
		if tooMuch(ref, open) {
			b.large = true
			return nil, false
		}
	}
	if reads := ref.HasPrefix(ast.DefaultRootRef) || ref.HasPrefix(ast.InputRootRef); reads {
		for _, with := range b.with {
			for name := range with.Value.Vars().Diff(ast.ReservedVars) {
				if !b.known[b.step].Contains(name) {
					return nil, false
				}
				b.needs.Add(name)
			}
		}
	}
	b.each = b.each || open >= 0
	return ast.NewTerm(ref).SetLocation(b.at), true
}

// key is a key of a ref. It goes through a collection where it is a variable that
// has no value yet.
func (b *builder) key(t *ast.Term) (_ *ast.Term, goesThrough, found bool) {
	if _, isVar := t.Value.(ast.Var); isVar {
		name, isWritten := b.written[extentOf(t.Location)]
		if isWritten && !b.known[b.step].Contains(name) {
			return ast.NewTerm(name).SetLocation(b.at), true, true
		}
	}
	if ast.IsScalar(t.Value) {
		return t, false, true
	}
	value, found := b.value(t)
	if !found {
		return nil, false, false
	}
	if _, isRef := value.Value.(ast.Ref); isRef {
		inner := b.newVar()
		b.assign(inner, value)
		value = inner
	}
	return value, false, true
}

// tooMuch reports whether a ref reads the directory as a whole, or all entities
// of a type.
func tooMuch(ref ast.Ref, open int) bool {
	const entity = 4 // data.directory[type][id]
	if len(ref) == 1 {
		return true
	}
	return ref[1].Equal(directory) && (len(ref) < entity || open >= 0 && open < entity)
}

var directory = ast.StringTerm("directory")

// head is the compiled form of what a ref of the source begins with: a document,
// a variable, an import or a rule of the package.
func (b *builder) head(t *ast.Term) (ast.Ref, bool) {
	name, isVar := t.Value.(ast.Var)
	if !isVar {
		return nil, false // a call or a collection
	}
	if written, isWritten := b.written[extentOf(t.Location)]; isWritten && !ast.RootDocumentNames.Contains(ast.NewTerm(written)) {
		return ast.Ref{b.variable(written)}, b.known[b.step].Contains(written)
	}
	if ast.RootDocumentNames.Contains(t) {
		return ast.Ref{t}, true
	}
	for _, imported := range b.module.Imports {
		if path, isRef := imported.Path.Value.(ast.Ref); isRef && imported.Name() == name && ast.RootDocumentNames.Contains(path[0]) {
			return slices.Clone(path), true
		}
	}
	pkg := b.module.Package.Path
	if b.policy.names[pkg.String()][string(name)] {
		return append(slices.Clone(pkg), ast.StringTerm(string(name))), true
	}
	return nil, false
}
