package topdown

import (
	"context"
	"maps"
	"time"

	"github.com/open-policy-agent/opa/v1/ast"
	"github.com/open-policy-agent/opa/v1/topdown"

	"github.com/verdictpdp/verdict/api/authz"
	"github.com/verdictpdp/verdict/engine/eval"
	"github.com/verdictpdp/verdict/policy/rego"
)

// A Partial evaluates queries of a policy as far as they do not depend on what is
// not known of the request.
type Partial struct {
	policy  *rego.Policy // with look-ups as calls
	input   *ast.Term
	now     time.Time
	unknown []*ast.Term
	txn     *transaction
	watched []rego.Conflict
}

// maxPartialSteps bounds the work of a Partial, the same on every machine, however
// busy: what is left of the shipped bundles takes up to a tenth of it, and a grant of
// the subject some ten steps. It is some 400 ms.
const maxPartialSteps = 40_000

// NewPartial is for one request, in which the documents that unknown names are not
// known, such as input.resource.id. The directory is read through the one of the
// input, whose limits hold for all queries together. What an entity's value is
// where the entity is not known, calls of rego.EntitiesAt say in what is left.
//
// Errors are of kind Invalid, for a policy whose look-ups cannot be told apart.
func NewPartial(ctx context.Context, policy *rego.Policy, in eval.Input, unknown ...ast.Ref) (*Partial, error) {
	looking, err := policy.Lookups()
	if err != nil {
		return nil, err
	}
	input, err := in.Parts.Document(in.Request)
	if err != nil {
		return nil, err
	}
	p := &Partial{policy: looking, input: input, now: in.Now, txn: &transaction{ctx: ctx, directory: in.Directory, static: looking.Data(), most: maxPartialSteps}}
	for _, ref := range unknown {
		p.unknown = append(p.unknown, ast.NewTerm(ref))
	}
	return p, nil
}

// WatchConflicts has Run say which conflicts of the policy may come up.
func (p *Partial) WatchConflicts() { p.watched = p.policy.Conflicts() }

// A Remainder is what is left of a query: it holds where any of the bodies does.
type Remainder struct {
	Bodies []ast.Body
	// Support are the rules that bodies ask for, by the rules' refs.
	Support map[string][]*ast.Rule
	// Conflicts are those of the policy that may come up by what is left, as far as
	// they are watched.
	Conflicts []rego.Conflict
}

// Run evaluates a query as far as it goes. An error of a built-in fails it, though
// it may be that no entity would have come to it. Errors are those of Eval.
func (p *Partial) Run(query ast.Body) (Remainder, error) {
	ctx := p.txn.ctx
	compiler := p.policy.Compiler().QueryCompiler()
	body, err := compiler.Compile(query)
	if err != nil {
		return Remainder{}, authz.Errorf(authz.Invalid, "bundle %s: %v does not compile: %w", p.policy.Name(), query, err)
	}
	builtins := maps.Clone(standIns)
	builtins[rego.IsThere.Name] = &topdown.Builtin{Decl: rego.IsThere, Func: isThere}
	builtins[rego.EntitiesAt.Name] = &topdown.Builtin{Decl: rego.EntitiesAt, Func: p.entitiesAt}
	running := newQuery(p.policy, body, p.input, p.now)
	passage := &passage{calls: make(map[uint64]*passing), passed: make(map[*ast.Rule]bool)}
	if len(p.watched) > 0 {
		running = running.WithQueryTracer(passage)
	}
	bodies, support, err := running.
		WithBuiltins(builtins).
		WithQueryCompiler(compiler).
		WithUnknowns(p.unknown).
		WithNondeterministicBuiltins(true).
		WithStore(store{}).WithTransaction(p.txn).WithCancel(p.txn).
		PartialRun(ctx)
	if err := p.txn.outcome(err); err != nil {
		return Remainder{}, err
	}
	left := Remainder{Bodies: bodies, Support: make(map[string][]*ast.Rule)}
	for _, module := range support {
		for _, rule := range module.Rules {
			ref := rule.Ref().GroundPrefix().String()
			left.Support[ref] = append(left.Support[ref], rule)
		}
	}
	for _, c := range p.watched {
		if passage.through(c) {
			left.Conflicts = append(left.Conflicts, c)
		}
	}
	return left, nil
}

// entitiesAt is rego.EntitiesAt, of what is known.
func (p *Partial) entitiesAt(_ topdown.BuiltinContext, operands []*ast.Term, found func(*ast.Term) error) error {
	typ, isText := operands[0].Value.(ast.String)
	id, isID := operands[1].Value.(ast.String)
	if !isText || !isID {
		return found(ast.InternedEmptyArray)
	}
	value, err := p.txn.read(p.txn.ctx, []string{directoryName, string(typ), string(id)})
	switch {
	case err != nil:
		if p.txn.failure == nil {
			p.txn.failure = err
		}
		return topdown.Halt{Err: err}
	case value == nil:
		return found(ast.InternedEmptyArray)
	}
	return found(ast.ArrayTerm(ast.NewTerm(value)))
}

// isThere is rego.IsThere: what is known is there.
func isThere(_ topdown.BuiltinContext, _ []*ast.Term, found func(*ast.Term) error) error {
	return found(ast.InternedTerm(true))
}
