package rego

import (
	"slices"
	"sync"

	"github.com/open-policy-agent/opa/v1/ast"
	"github.com/open-policy-agent/opa/v1/types"

	"github.com/verdictpdp/verdict/api/authz"
)

// EntitiesAt is what Lookups calls in the place of data.directory[type][id]: an
// array with the entity, or an empty one where there is none. The type "ref"
// takes a ref for the id, as the document does.
var EntitiesAt = &ast.Builtin{
	Name: "verdict.entities_at",
	Decl: types.NewFunction(types.Args(types.A, types.A), types.NewArray(nil, types.A)),
}

// IsThere is what Lookups calls with each value that a variable gets, and is true:
// it stands for the value's being there. Partial evaluation puts the value into
// the places of the variable, and where that is under a not, "x := a; not x == 1"
// would come out as "not a == 1", which holds where there is no a.
var IsThere = &ast.Builtin{
	Name: "verdict.is_there",
	Decl: types.NewFunction(types.Args(types.A), types.B),
}

// Lookups is the policy with a call of EntitiesAt wherever it looks up an entity:
// data.directory.user[x].attributes becomes verdict.entities_at("user", x)[0].attributes.
// It decides as the policy does. Where x is not known, neither is the call, and
// that is all: OPA's partial evaluation would try each id that there is.
//
// A look-up stays as it is where its type or id is what it is to find. Errors, of
// kind Invalid, say what in the policy cannot be put so.
func (p *Policy) Lookups() (*Policy, error) { return p.lookups() }

func (p *Policy) withLookups() (*Policy, error) {
	looking, err := p.compileLookups(true)
	if err != nil {
		// A variable that is the index of a look-up may be what it finds.
		if without, unbound := p.compileLookups(false); unbound == nil {
			return without, nil
		}
	}
	return looking, err
}

// compileLookups compiles the policy again, with the look-ups by variables as
// calls or as they are.
func (p *Policy) compileLookups(byVariables bool) (*Policy, error) {
	compiler, err := newCompiler(p.bundle, p.options)
	if err != nil {
		return nil, err
	}
	capabilities := compiler.Capabilities()
	capabilities.Builtins = append(ofAnything(capabilities.Builtins), EntitiesAt, IsThere)
	l := &lookups{byVariables: byVariables, asked: p.asked()}
	withStandIns(compiler).WithStageAfterID(ast.StageResolveRefs, ast.CompilerStageDefinition{
		Name:       "Lookups",
		MetricName: "compile_stage_lookups",
		Stage:      l.put,
	}).WithStageAfterID(ast.StageCheckTypes, ast.CompilerStageDefinition{
		Name:       "IsThere",
		MetricName: "compile_stage_is_there",
		Stage:      putIsThere,
	})
	compiler.Compile(modules(p.bundle.Modules))
	switch {
	case l.refused != nil:
		return nil, authz.JoinInvalid(l.refused)
	case compiler.Failed():
		return nil, Invalid(compiler.Errors)
	}
	looking := *p
	looking.compiler = compiler
	looking.conflicts = sync.OnceValue(func() []Conflict { return conflictsOf(compiler) })
	return &looking, nil
}

// ofAnything are built-ins that take arguments of any type. Partial evaluation leaves
// out what does not pass the type check, for it never holds: but an argument of
// another type fails the decision, and a deny that fails denies. That the policy's
// own calls fit has been checked when it was compiled first.
func ofAnything(builtins []*ast.Builtin) []*ast.Builtin {
	taking := make([]*ast.Builtin, len(builtins))
	for i, builtin := range builtins {
		copied := *builtin
		arguments := builtin.Decl.FuncArgs()
		for j := range arguments.Args {
			arguments.Args[j] = types.A
		}
		if arguments.Variadic != nil {
			copied.Decl = types.NewVariadicFunction(arguments.Args, types.A, builtin.Decl.Result())
		} else {
			copied.Decl = types.NewFunction(arguments.Args, builtin.Decl.Result())
		}
		taking[i] = &copied
	}
	return taking
}

// asked are the places of the rules that the decision leads to.
func (p *Policy) asked() map[place]bool {
	asked := make(map[place]bool)
	var ask func(rule *ast.Rule)
	ask = func(rule *ast.Rule) {
		if at := placeOf(rule.Location); !asked[at] {
			asked[at] = true
			for other := range p.compiler.Graph.Dependencies(rule) {
				ask(other.(*ast.Rule))
			}
		}
	}
	for _, rule := range p.compiler.GetRulesWithPrefix(p.path) {
		ask(rule)
	}
	return asked
}

// lookups puts calls in the places of look-ups.
type lookups struct {
	byVariables bool
	asked       map[place]bool
	found       map[ast.Var]bool // the variables that a rule declares without a value
	refused     []error
}

func (l *lookups) put(compiler *ast.Compiler) *ast.Error {
	for _, module := range compiler.Modules {
		for _, rule := range module.Rules {
			if l.asked[placeOf(rule.Location)] {
				l.check(rule)
			}
			l.found = declared(rule)
			ast.WalkTerms(rule, func(term *ast.Term) bool {
				if ref, isRef := term.Value.(ast.Ref); isRef && l.isCall(ref) {
					term.Value = called(ref)
				}
				return false
			})
		}
	}
	if len(l.refused) > 0 {
		return ast.NewError(ast.CompileErr, nil, "look-ups that cannot be calls")
	}
	return nil
}

// isCall reports whether a ref is a look-up that becomes a call.
func (l *lookups) isCall(ref ast.Ref) bool {
	return isLookup(ref) && l.isBound(ref[2]) && l.isBound(ref[3])
}

// called is a look-up as a call. It has terms of its own, and none that OPA interns:
// the compiler writes to the terms of a module.
func called(ref ast.Ref) ast.Ref {
	call := ast.CallTerm(ast.NewTerm(EntitiesAt.Ref()), ref[2], ref[3])
	call.Location = ref[0].Location
	return append(ast.Ref{call, ast.NumberTerm("0")}, ref[4:]...)
}

func isLookup(ref ast.Ref) bool {
	return len(ref) > 3 && ref[0].Equal(ast.DefaultRootDocument) && ref[1].Equal(directoryTerm)
}

var directoryTerm = ast.StringTerm("directory")

// isBound reports whether a term of a look-up has a value before the look-up, as
// far as that can be seen of it.
func (l *lookups) isBound(index *ast.Term) bool {
	name, isVar := index.Value.(ast.Var)
	return !isVar || l.byVariables && !name.IsWildcard() && !l.found[name]
}

// declared are the variables that a rule declares with some alone, for a
// reference to give them their values.
func declared(rule *ast.Rule) map[ast.Var]bool {
	names := make(map[ast.Var]bool)
	ast.WalkExprs(rule, func(expr *ast.Expr) bool {
		if some, is := expr.Terms.(*ast.SomeDecl); is {
			for _, symbol := range some.Symbols {
				if name, isVar := symbol.Value.(ast.Var); isVar {
					names[name] = true
				}
			}
		}
		return false
	})
	return names
}

// check refuses what would not come out the same with calls: documents put in the
// place of the directory or of the request's parts, which calls do not see, and
// under a not that is not rego.v2's an index that may be undefined, for arguments
// are computed before the not.
func (l *lookups) check(rule *ast.Rule) {
	ast.WalkWiths(rule, func(with *ast.With) bool {
		target, isRef := with.Target.Value.(ast.Ref)
		if isRef && (target[0].Equal(ast.InputRootDocument) || target[0].Equal(ast.DefaultRootDocument)) {
			l.refuse(with.Location, "a with on %s: it cannot be told what follows where an entity is not known; pass what the rule needs as an argument of a function", target)
		}
		return false
	})
	ast.WalkExprs(rule, func(expr *ast.Expr) bool {
		if !expr.Negated {
			return false
		}
		ast.WalkRefs(expr, func(ref ast.Ref) bool {
			if isLookup(ref) && !(isDefined(ref[2]) && isDefined(ref[3])) {
				l.refuse(expr.Location, "a look-up under a not, by what may be undefined: import rego.v2, or bind the entity first")
			}
			return false
		})
		return false
	})
}

// isDefined reports whether a term has a value whatever is asked.
func isDefined(index *ast.Term) bool {
	switch value := index.Value.(type) {
	case ast.String, ast.Var:
		return true
	case ast.Ref:
		return slices.ContainsFunc(always, func(known ast.Ref) bool { return known.Equal(value) })
	}
	return false
}

// always are the members of a request that are always there.
var always = []ast.Ref{
	ast.MustParseRef("input.tenant"), ast.MustParseRef("input.action.name"),
	ast.MustParseRef("input.subject.type"), ast.MustParseRef("input.subject.id"),
	ast.MustParseRef("input.resource.type"), ast.MustParseRef("input.resource.id"),
}

func (l *lookups) refuse(at *ast.Location, message string, args ...any) {
	l.refused = append(l.refused, authz.InvalidField(Location(at), message, args...))
}

// putIsThere calls IsThere after each expression that gives a value to a variable
// which may come to stand under a not: for it does in the same body, or in a
// function that it is given to, or where the rule's value goes.
func putIsThere(compiler *ast.Compiler) *ast.Error {
	for _, module := range compiler.Modules {
		for _, rule := range module.Rules {
			for ; rule != nil; rule = rule.Else {
				rule.Body = withIsThere(rule.Body, rule.Head.Value, rule.Head.Key, ast.NewTerm(rule.Head.Reference))
			}
		}
		ast.WalkTerms(module, func(term *ast.Term) bool {
			switch c := term.Value.(type) {
			case *ast.SetComprehension:
				c.Body = withIsThere(c.Body, c.Term)
			case *ast.ArrayComprehension:
				c.Body = withIsThere(c.Body, c.Term)
			case *ast.ObjectComprehension:
				c.Body = withIsThere(c.Body, c.Key, c.Value)
			}
			return false
		})
		ast.WalkExprs(module, func(expr *ast.Expr) bool {
			switch terms := expr.Terms.(type) {
			case *ast.Not:
				terms.Body = withIsThere(terms.Body)
			case *ast.Every:
				terms.Body = withIsThere(terms.Body)
			case *ast.LogicalAnd:
				terms.Lhs, terms.Rhs = withIsThere(terms.Lhs), withIsThere(terms.Rhs)
			case *ast.LogicalOr:
				terms.Lhs, terms.Rhs = withIsThere(terms.Lhs), withIsThere(terms.Rhs)
			}
			return false
		})
	}
	return nil
}

// withIsThere is a body with the calls, whose values are terms.
func withIsThere(body ast.Body, values ...*ast.Term) ast.Body {
	inside := ast.NewVarSet() // of what may stand under a not
	add := func(in any) {
		ast.WalkVars(in, func(name ast.Var) bool {
			inside.Add(name)
			return false
		})
	}
	for _, value := range values {
		if value != nil {
			add(value)
		}
	}
	for _, expr := range body {
		_, isTerm := expr.Terms.(*ast.Term)
		switch {
		case expr.Negated, !isTerm && !expr.IsCall(), expr.IsCall() && expr.Operator().HasPrefix(ast.DefaultRootRef):
			add(expr)
		default:
			ast.WalkClosures(expr, func(closure any) bool {
				add(closure)
				return true
			})
		}
	}
	var longer ast.Body
	for _, expr := range body {
		longer.Append(expr)
		for _, variable := range given(expr) {
			if inside.Contains(variable.Value.(ast.Var)) {
				called := IsThere.Expr(variable)
				called.Location = expr.Location
				longer.Append(called)
			}
		}
	}
	return longer
}

// given are the variables that an expression gives a value which may not be there: a
// reference, another variable, or what a call comes to.
func given(expr *ast.Expr) (variables []*ast.Term) {
	if expr.Negated || len(expr.With) > 0 || !expr.IsCall() {
		return nil
	}
	operands, operator := expr.Operands(), expr.Operator()
	builtin, isBuiltin := ast.BuiltinMap[operator.String()]
	switch {
	case expr.IsEquality():
		for i, side := range operands {
			switch operands[1-i].Value.(type) {
			case ast.Ref, ast.Var, ast.Call:
				variables = append(variables, side)
			}
		}
	case len(operands) > 0 && operator.HasPrefix(ast.DefaultRootRef), isBuiltin && len(operands) > builtin.Decl.Arity():
		variables = operands[len(operands)-1:]
	}
	return slices.DeleteFunc(slices.Clone(variables), func(term *ast.Term) bool {
		_, isVar := term.Value.(ast.Var)
		return !isVar
	})
}
