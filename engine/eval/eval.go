// Package eval is what a policy is to the rest of the engine: a Program, which
// an Evaluator prepares once, at activation, and which then answers requests.
//
// Two evaluators share the interface: topdown, OPA's own and the reference,
// and closure, which compiles OPA's intermediate representation. Package
// evaltest holds both to the same cases. Document and Yield are the two ends
// that they have in common: the request as a policy sees it, and the check of
// what its rules came out as.
//
// A built-in's runtime error in any rule that is evaluated fails the evaluation,
// wherever it arises: under not, or in a rule that does not decide. Which rules
// are evaluated is up to the evaluator's index, and what topdown's passes over
// is the reference: a rule whose body has an equality of input or data with a
// constant (or with what the index knows otherwise) that does not hold, or that
// compares a path of them at which there is nothing, may or may not be evaluated,
// and so may its errors deny or not. So may a rule that could only yield what
// another has yielded already. A portable policy does not let a decision rest on
// that: it guards what may err, such as by is_number(x), and not by the order of
// expressions or rules.
//
// The package knows neither where the directory is kept nor who asks. What a
// policy reads of the directory comes through Directory, at one revision.
// Start with Program.
package eval

import (
	"context"
	"time"

	"github.com/open-policy-agent/opa/v1/ast"

	"github.com/verdictpdp/verdict/api/authz"
	"github.com/verdictpdp/verdict/policy/rego"
)

// A Program is a policy ready to run. It is immutable and safe for use by many
// goroutines at once.
type Program interface {
	// Eval runs the policy on one input. An error means that the policy could
	// not be evaluated to its end; the caller must deny. Its kind is
	// authz.Evaluation for a fault of the policy, built-ins' runtime errors
	// included; what Directory and the context return keeps its kind. An answer
	// that comes after the context's end is the context's error.
	//
	// Asking for an explanation changes nothing of that. Explaining comes after
	// deciding, within the same context, and is cut short by its end.
	Eval(ctx context.Context, in Input) (Output, error)
}

// An Explainer is a program that makes something of its own to explain with, when
// it first does. That may take as long as it took to prepare the program, so
// whoever bounds the time of an evaluation has it made before.
type Explainer interface {
	PrepareExplaining()
}

// An Evaluator prepares programs.
type Evaluator interface {
	// Name is the evaluator's name in status and logs, such as "topdown".
	Name() string
	// Prepare makes a policy ready to run. An error says what in the policy
	// this evaluator cannot take.
	Prepare(ctx context.Context, policy *rego.Policy) (Program, error)
	// PrepareRule makes one rule of a policy ready to be asked for by itself, such
	// as data.verdict.http.request. An error says what of it this evaluator cannot
	// take.
	PrepareRule(ctx context.Context, policy *rego.Policy, rule string) (Rule, error)
}

// A Rule is one rule of a policy, ready to be asked for what it yields. It is
// immutable and safe for use by many goroutines at once.
type Rule interface {
	// Value is what the rule yields on an input, as the values that authz.Object
	// names: numbers as json.Number, sets as sorted arrays. It is not defined where
	// the rule is undefined. Errors are as those of Program.Eval.
	Value(ctx context.Context, in Input) (value any, defined bool, err error)
}

// An Input is what one evaluation works on.
type Input struct {
	// Request is the document input.
	Request *authz.Request
	// Document is the document input of a Rule where there is no Request. An object
	// of texts alone may be a map[string]string in it.
	Document authz.Object
	// Validated says that each value of the request is one that Validate takes.
	// Whoever has walked the request before says so; an evaluator looks for
	// itself otherwise.
	Validated bool
	// Parts is what the requests of one batch share of their conversion to the
	// document; nil for a request by itself.
	Parts *Parts
	// Directory is the document data.directory, at one revision, for this
	// evaluation alone.
	Directory Directory
	// Now is what time.now_ns() returns.
	Now time.Time
	// Steps bounds the work of an evaluation, and the memory with it; 0 means
	// DefaultSteps. A step is a call, an element that is looked at, or one that
	// is added to a collection; what a built-in does with large values counts by
	// their size. An evaluation beyond is an error of kind LimitExceeded. The
	// topdown evaluator, which is bounded by the context alone, does not count.
	Steps int64
	// Explain asks for an explanation.
	Explain bool
}

// DefaultSteps is the bound of an evaluation that is given none: some 100 ms.
const DefaultSteps = 2_000_000

// An Output is what the package of the decision yielded.
type Output struct {
	// Allow is whether allow is true. Undefined is false.
	Allow bool
	// Deny are the members of deny, sorted; any of them overrides Allow.
	Deny []string
	// Reasons are the members of reasons, sorted.
	Reasons []string
	// Obligations is the object obligations; nil when undefined or empty.
	Obligations authz.Object
	// Explanation is there when it was asked for.
	Explanation *authz.Explanation
}

// A Directory is what an evaluation reads of the directory. It is bound to one
// tenant and one revision, and counts what is read against the limits of the
// decision. It is not safe for use by several goroutines.
type Directory interface {
	// Entity is the entity data.directory[typ][id], or nil when the directory
	// does not know it.
	Entity(ctx context.Context, typ, id string) (Entity, error)
	// EachEntity calls visit for every entity of a type, in the order of ids,
	// until visit returns false.
	EachEntity(ctx context.Context, typ string, visit func(Entity) bool) error
	// EachType calls visit for every entity type that has entities, in order,
	// until visit returns false.
	EachType(ctx context.Context, visit func(typ string) bool) error
	// Contains reports whether an element of an array equals a value, as in
	// Rego. It is known only of arrays that were read from this directory and
	// are so long that an index, which is made when first asked for, pays.
	Contains(array *ast.Array, value *ast.Term) (found, known bool)
}

// A Member names a member of an entity as a policy sees it.
type Member uint8

// The members of an entity.
const (
	Type Member = iota
	ID
	Ref
	Attributes
	Parents
	Ancestors
	Distances
	Grants
	GrantsByScope
	Permissions // of roles only
	memberCount
)

var memberNames = [memberCount]string{
	"type", "id", "ref", "attributes", "parents", "ancestors", "distances", "grants", "grants_by_scope", "permissions",
}

// String is the member's name in Rego.
func (m Member) String() string { return memberNames[m] }

// MemberNamed finds a member by its name in Rego.
func MemberNamed(name string) (Member, bool) {
	for m, n := range memberNames {
		if n == name {
			return Member(m), true
		}
	}
	return 0, false
}

// An Entity is one entity as a policy sees it. What it returns is computed when
// it is first asked for; it is shared and must not be changed.
type Entity interface {
	// Ref is type:id.
	Ref() string
	// Member is a member, or nil where the entity has none.
	Member(ctx context.Context, m Member) (*ast.Term, error)
	// Lookup is what stands at a key in a member, as in Rego: in an object by
	// a key equal to this, in an array by its index. It is nil where nothing
	// does. The member is not built for it.
	Lookup(ctx context.Context, m Member, key *ast.Term) (*ast.Term, error)
	// Each calls visit for every key and value of a member, as iteration does
	// in Rego: an object's in the order of its keys, an array's by index, until
	// visit returns false. What is neither has none. The member is not built
	// for it.
	Each(ctx context.Context, m Member, visit func(key, value *ast.Term) bool) error
	// Value is the entity with all its members, an object.
	Value(ctx context.Context) (*ast.Term, error)
}
