// Package native computes OPA's common built-in functions on OPA's values, with
// OPA's results and errors, but without OPA's calling convention: operands are
// parameters, the result is returned, and a truth is a bool where only the
// truth is asked for.
//
// A function here is a fast path for the operands that policies really pass,
// small enough to be seen to be right. Whatever it does not recognise goes to
// OPA's own implementation, by reference: an operand of a wrong type, a fraction,
// text that is not UTF-8. So the odd cases and the texts of errors are OPA's
// because OPA computes them, and no function here makes an error of its own,
// save ErrUnbounded.
//
// Nothing is changed that was passed in; a result may share terms with its
// operands, and is often one of them, so the caller changes no result either.
// Sets are only read through Slice and Contains, never through Union, Intersect
// or Diff, which read what the first call of Slice sorts, in a value that several
// decisions may share.
//
// The package knows nothing of plans, of policies and of what a call costs the
// caller's limits. Functions that need OPA's BuiltinContext (the clock, caches,
// randomness) are not here.
//
// Start reading at compare.go; the tables of functions are at the head of each
// family's file.
package native

import (
	"errors"

	"github.com/open-policy-agent/opa/v1/ast"
)

// A Func is one built-in function. Exactly one of its fields is set, by the
// number of operands. A nil result without an error is undefined.
//
// An error is what OPA's function returned before OPA added the function's name
// to it: a builtins.ErrOperand is of OPA's code eval_type_error, and any other of
// eval_builtin_error, except for a topdown.Halt or a *topdown.Error, which are
// whole as they are, and ErrUnbounded.
type Func struct {
	Unary      func(a *ast.Term) (*ast.Term, error)
	Binary     func(a, b *ast.Term) (*ast.Term, error)
	Ternary    func(a, b, c *ast.Term) (*ast.Term, error)
	Quaternary func(a, b, c, d *ast.Term) (*ast.Term, error)
}

// A Predicate is a built-in function of two operands that yields a boolean. Its
// errors are those of a Func.
type Predicate func(a, b *ast.Term) (bool, error)

// A Spread is a built-in function whose last operand is an array that is made
// for this call alone, so that the caller need not make it: it passes what would
// be its elements, which are not kept, and before them the other operand, or nil
// if there is none. Results and errors are those of the Func of the same name.
type Spread func(operand *ast.Term, elements []*ast.Term) (*ast.Term, error)

// An Append is a built-in function like a Spread that yields a string, which it
// appends to a text. It is false where the Spread has to be asked; what is behind
// the text then is of no use. It is for a caller that keeps the terms of texts.
type Append func(text []byte, operand *ast.Term, elements []*ast.Term) ([]byte, bool)

// A Text is a built-in function of one string or two, of which the second is
// empty if there is none, that yields a string. It is for a caller that knows the
// term of the result already.
type Text func(a, b string) string

// ErrUnbounded stands for a result that was not computed, because it could
// outgrow any limit and only OPA's implementation can be cancelled meanwhile.
// Call that instead, with the BuiltinContext of the decision. Only
// numbers.range and replace return it.
var ErrUnbounded = errors.New("the result may be too large to be computed without being able to cancel: call OPA's implementation")

// Lookup finds a built-in function by OPA's name, such as "object.get" or
// "internal.member_2". It is for when a policy is compiled, not for decisions.
func Lookup(name string) (Func, bool) {
	if predicate, ok := LookupPredicate(name); ok {
		return Func{Binary: predicate.term}, true
	}
	for _, family := range []map[string]Func{
		aggregateFunctions,
		arrayFunctions,
		bitFunctions,
		formatFunctions,
		memberFunctions,
		numberFunctions,
		objectFunctions,
		setFunctions,
		stringFunctions,
		timeFunctions,
		typeFunctions,
	} {
		if f, ok := family[name]; ok {
			return f, true
		}
	}
	return Func{}, false
}

// LookupPredicate finds those functions by OPA's name whose truth can be asked
// for without a term. Lookup finds all of them as well.
func LookupPredicate(name string) (Predicate, bool) {
	for _, family := range []map[string]Predicate{
		affixPredicates,
		comparisonPredicates,
		memberPredicates,
		objectPredicates,
	} {
		if p, ok := family[name]; ok {
			return p, true
		}
	}
	return nil, false
}

// LookupSpread finds those functions by OPA's name that are often called with an
// array of what has just been computed, and can do without it, such as concat and
// sum.
func LookupSpread(name string) (Spread, bool) {
	for _, family := range []map[string]Spread{
		aggregateSpreads,
		formatSpreads,
		stringSpreads,
	} {
		if s, ok := family[name]; ok {
			return s, true
		}
	}
	return nil, false
}

// LookupAppend finds those functions by OPA's name. LookupSpread finds all of them
// as well.
func LookupAppend(name string) (Append, bool) {
	f, ok := appends[name]
	if !ok {
		return nil, false
	}
	return func(text []byte, operand *ast.Term, list []*ast.Term) ([]byte, bool) {
		return f(text, operand, elements{list: list})
	}, true
}

var appends = map[string]func(text []byte, operand *ast.Term, of elements) ([]byte, bool){
	ast.Concat.Name:                 appendJoined,
	ast.Sprintf.Name:                appendFormatted,
	ast.InternalTemplateString.Name: appendParts,
}

// LookupText finds those functions by OPA's name. Lookup finds all of them as well.
func LookupText(name string) (Text, bool) {
	f, ok := textFunctions[name]
	return f, ok
}

// term is the predicate as a Func's.
func (p Predicate) term(a, b *ast.Term) (*ast.Term, error) {
	holds, err := p(a, b)
	if err != nil {
		return nil, err
	}
	return boolean(holds), nil
}

func boolean(b bool) *ast.Term {
	if b {
		return ast.InternedBooleanTrue
	}
	return ast.InternedBooleanFalse
}
