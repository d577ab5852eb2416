// Package residual says what is left of a decision when the resource, or the
// subject, is not known: a condition on the entity that is not known, such as
// "below department:icu, and its attribute state is open". It is for searches,
// which look only at what may be allowed, and for filters of rows.
//
// OPA's topdown evaluates allow and deny as far as they do not depend on the id
// of the entity; package topdown has that. What is left is Rego, which is read here
// into a closed vocabulary of conditions. Whatever is not in it becomes a condition
// that says so, with its place: it may hold or not, and so widens what the
// residual takes in. Nothing narrows it: an entity that the decision allows
// always fulfils the residual.
//
// The entity that is not known is taken to be one of the directory, of the type
// that the request says. What the request claims of it besides, its properties,
// counts as known. The reasons and obligations of the decision are not looked at,
// nor what goes wrong in them.
//
// The package knows no index and no SQL. Start with Of.
package residual

import (
	"context"
	"strings"

	"github.com/open-policy-agent/opa/v1/ast"

	"github.com/verdictpdp/verdict/api/authz"
	"github.com/verdictpdp/verdict/engine/eval"
	"github.com/verdictpdp/verdict/engine/eval/topdown"
	"github.com/verdictpdp/verdict/policy/rego"
)

// Unknown is the part of a request whose id is not known.
type Unknown string

// What may be unknown.
const (
	Subject  Unknown = "subject"
	Resource Unknown = "resource"
)

// A Residual is a condition on an entity: the decision allows none that does not
// fulfil it. It is the same condition twice, as a formula and as alternatives.
type Residual struct {
	// Always is true where every entity fulfils it.
	Always bool
	// Any are the alternatives: the entity fulfils all conditions of one of
	// them. None, where Always is false and nothing is Unexpressed, means that no
	// entity is allowed.
	Any []Conjunction
	// Unexpressed says why there are no alternatives to go by: then any entity may
	// be allowed.
	Unexpressed []Reason
	// Where is the condition as a formula, as far as there is one; Never where
	// the policy could not be evaluated, and Unexpressed says why.
	Where Formula
	// Exact is true where the decision allows every entity that fulfils the
	// residual: there is no condition in it that was not recognised. It does not
	// foresee what a built-in makes of an attribute that is of another type than it
	// takes, such as lower of a number: that fails the decision, and so denies. So
	// does a rule that has two values at once, which Exactly alone foresees.
	Exact bool
}

// A Conjunction holds where all of its conditions do. It has at least one.
type Conjunction []Condition

// A Reason is why something of a policy could not be made a condition.
type Reason struct {
	// Place is the place in the policy, as file:line; empty where it has none.
	Place string
	// Why says what is in the way.
	Why string
}

// Of is what is left of a decision on the input where the id of a part of its
// request is not known; whatever the request has there is not looked at. The time
// and the directory are those of the input, with the same limits.
//
// What a policy does that partial evaluation cannot follow, and a limit that it
// meets, is Unexpressed and not an error. The limits count what is done, and are met
// on every machine alike. Errors are those of the context, the directory and an
// invalid request.
func Of(ctx context.Context, policy *rego.Policy, in eval.Input, unknown Unknown) (Residual, error) {
	return of(ctx, policy, in, unknown, (*reader).decision)
}

// Exactly is Of where the residual is to be the decision, and not what candidates are
// narrowed by: a rule that may have two values at once, which fails the decision, is a
// condition that was not recognised.
func Exactly(ctx context.Context, policy *rego.Policy, in eval.Input, unknown Unknown) (Residual, error) {
	return of(ctx, policy, in, unknown, func(r *reader, policy *rego.Policy) (Formula, error) {
		r.partial.WatchConflicts()
		return r.decision(policy)
	})
}

// OfAllow is Of without a look at deny, which may take most of the time: the decision
// allows no entity that does not fulfil what is left of allow.
func OfAllow(ctx context.Context, policy *rego.Policy, in eval.Input, unknown Unknown) (Residual, error) {
	left, err := of(ctx, policy, in, unknown, (*reader).allow)
	left.Exact = left.Exact && !policy.Has(rego.Deny)
	return left, err
}

func of(ctx context.Context, policy *rego.Policy, in eval.Input, unknown Unknown, read func(*reader, *rego.Policy) (Formula, error)) (Residual, error) {
	r := &reader{ctx: ctx, unknown: ast.MustParseRef("input." + string(unknown) + ".id")}
	r.typ = in.Request.Resource.Type
	if unknown == Subject {
		r.typ = in.Request.Subject.Type
	}
	if (authz.EntityRef{Type: r.typ, ID: "any"}).ValidateStored() != nil {
		return never.residual(), nil // the directory has no entities of such a type
	}
	r.root = authz.EntityRef{Type: "tenant", ID: in.Request.Tenant}.String()
	var err error
	if r.input, err = in.Parts.Document(in.Request); err != nil {
		return Residual{}, err
	}
	partial, err := topdown.NewPartial(ctx, policy, in, r.unknown)
	if err == nil {
		r.partial, r.safe = partial, always
		if r.formula, err = read(r, policy); err == nil {
			r.formula = and(r.formula, r.safe)
		}
	}
	switch {
	case err == nil:
		return r.formula.residual(), nil
	case ctx.Err() != nil:
		return Residual{}, err
	}
	switch authz.KindOf(err) {
	case authz.Invalid, authz.Evaluation, authz.LimitExceeded:
		return Residual{Unexpressed: reasonsOf(err)}, nil
	default:
		return Residual{}, err
	}
}

// allow is the condition that allow holds.
func (r *reader) allow(policy *rego.Policy) (Formula, error) {
	return r.query(ast.Equality.Expr(ast.NewTerm(policy.Path().Append(ast.StringTerm(rego.Allow))), ast.BooleanTerm(true)))
}

// decision is the condition that allow holds and nothing denies.
func (r *reader) decision(policy *rego.Policy) (Formula, error) {
	allow, err := r.allow(policy)
	if err != nil || allow.Op == Never || !policy.Has(rego.Deny) {
		return allow, err
	}
	deny, err := r.query(ast.NewExpr(ast.NewTerm(policy.Path().Append(ast.StringTerm(rego.Deny)).Append(ast.VarTerm("member")))))
	if err != nil {
		return Formula{}, err
	}
	return and(allow, not(deny)), nil
}

func (r *reader) query(asked *ast.Expr) (Formula, error) {
	left, err := r.left(ast.NewBody(asked))
	if err != nil {
		return Formula{}, err
	}
	return r.read(left), r.err
}

// left is what is left of a query, which may fail by the conflicts that are watched.
func (r *reader) left(query ast.Body) (topdown.Remainder, error) {
	left, err := r.partial.Run(query)
	if err != nil {
		return topdown.Remainder{}, err
	}
	safe, err := r.conflicted(left.Conflicts)
	r.safe = and(r.safe, safe)
	return left, err
}

func (r *reader) read(left topdown.Remainder) Formula {
	r.support = left.Support
	var any []Formula
	for _, body := range left.Bodies {
		any = append(any, r.body(body, scope{}, ""))
	}
	return or(any...)
}

// reasonsOf are an error's parts, with the places that it names.
func reasonsOf(err error) []Reason {
	var reasons []Reason
	for _, v := range authz.ViolationsOf(err) {
		reasons = append(reasons, Reason{Place: v.Field, Why: v.Description})
	}
	if len(reasons) > 0 {
		return reasons
	}
	text := err.Error()
	if authz.KindOf(err) == authz.Evaluation {
		if place, rest, found := strings.Cut(text, ": "); found && !strings.Contains(place, " ") {
			return []Reason{{Place: place, Why: rest}}
		}
	}
	return []Reason{{Why: text}}
}

// residual is the formula in both of its forms.
func (f Formula) residual() Residual {
	r := Residual{Always: f.Op == Always, Where: f, Exact: len(f.Unrecognised()) == 0}
	if r.Always || f.Op == Never {
		return r
	}
	r.Any = f.alternatives(false)
	for _, conjunction := range r.Any {
		if conjunction.mayBeAnything() {
			for _, c := range conjunction {
				r.Unexpressed = append(r.Unexpressed, c.Reason)
			}
		}
	}
	return r
}
