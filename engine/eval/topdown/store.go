package topdown

import (
	"context"
	"strconv"
	"strings"

	"github.com/open-policy-agent/opa/v1/ast"
	"github.com/open-policy-agent/opa/v1/storage"

	"github.com/verdictpdp/verdict/api/authz"
	"github.com/verdictpdp/verdict/engine/eval"
)

// The members of data that come from the directory: data.directory, and in it
// ref, which finds entities of all types by their refs.
const (
	directoryName = "directory"
	refName       = "ref"
)

// A store is OPA's view of the documents. It keeps nothing: what is read is in
// the transaction.
type store struct {
	storage.PolicyNotSupported
	storage.TriggersNotSupported
	storage.WritesNotSupported
}

// A transaction is what one evaluation reads from. It also tells the evaluator
// when to stop. It belongs to the goroutine of the evaluation.
type transaction struct {
	ctx       context.Context
	directory eval.Directory
	static    ast.Object
	failure   error // the first that the directory reported
	steps     uint  // asked whether to stop so many times
	most      uint  // of steps; 0 for any number
}

// notFound makes a document undefined.
var notFound = &storage.Error{Code: storage.NotFoundErr}

// Read is the document at a path, as an ast.Value.
func (store) Read(ctx context.Context, txn storage.Transaction, path storage.Path) (any, error) {
	t := txn.(*transaction)
	value, err := t.read(ctx, path)
	switch {
	case err != nil:
		if t.failure == nil {
			t.failure = err
		}
		return nil, err
	case value == nil:
		return nil, notFound
	}
	return value, nil
}

// read is the document at a path, or nil.
func (t *transaction) read(ctx context.Context, path storage.Path) (ast.Value, error) {
	switch {
	case len(path) == 0:
		return t.everything(ctx)
	case path[0] != directoryName:
		return find(t.static, path), nil
	case len(path) == 1:
		return t.wholeDirectory(ctx)
	case path[1] == refName && len(path) == 2:
		return t.wholeRef(ctx)
	case len(path) == 2:
		return t.wholeType(ctx, path[1])
	case path[1] == refName:
		typ, id, _ := strings.Cut(path[2], ":")
		return t.entity(ctx, typ, id, path[3:])
	default:
		return t.entity(ctx, path[1], path[2], path[3:])
	}
}

// entity is the document at a path inside an entity, or nil.
func (t *transaction) entity(ctx context.Context, typ, id string, path storage.Path) (ast.Value, error) {
	e, err := t.directory.Entity(ctx, typ, id)
	if e == nil || err != nil {
		return nil, err
	}
	if len(path) == 0 {
		whole, err := e.Value(ctx)
		if err != nil {
			return nil, err
		}
		return whole.Value, nil
	}
	name, exists := eval.MemberNamed(path[0])
	if !exists {
		return nil, nil
	}
	rest := path[1:]
	isArray := name == eval.Parents || name == eval.Grants // whose indexes are texts in a path
	var inside *ast.Term
	if len(rest) == 0 || isArray {
		inside, err = e.Member(ctx, name)
	} else {
		inside, err = e.Lookup(ctx, name, ast.InternedTerm(rest[0]))
		rest = rest[1:]
	}
	if inside == nil || err != nil {
		return nil, err
	}
	return find(inside.Value, rest), nil
}

// find is the value at a path inside another, or nil.
func find(value ast.Value, path storage.Path) ast.Value {
	for _, name := range path {
		var next *ast.Term
		switch inside := value.(type) {
		case ast.Object:
			next = inside.Get(ast.InternedTerm(name))
		case *ast.Array:
			if i, err := strconv.ParseUint(name, 10, 32); err == nil && int(i) < inside.Len() {
				next = inside.Elem(int(i))
			}
		}
		if next == nil {
			return nil
		}
		value = next.Value
	}
	return value
}

// Cancelled reports whether the evaluation is to stop. OPA asks at every step
// of a query; the context is looked at now and then.
func (t *transaction) Cancelled() bool {
	t.steps++
	if t.most > 0 && t.steps > t.most && t.failure == nil {
		t.failure = authz.Exceeded(authz.StepsLimit, "the policy takes more than %d steps to be evaluated in part", t.most)
	}
	return t.failure != nil || t.steps%stepsPerLook == 0 && t.ctx.Err() != nil
}

// stepsPerLook is how many steps go by between two looks at the context: some
// ten microseconds.
const stepsPerLook = 32

// Cancel does nothing: it is the context that ends an evaluation.
func (*transaction) Cancel() {}

// ID tells transactions of one store apart, of which an evaluation has one.
func (*transaction) ID() uint64 { return 0 }

// NewTransaction is not called: an evaluation is given its transaction.
func (store) NewTransaction(context.Context, ...storage.TransactionParams) (storage.Transaction, error) {
	return nil, &storage.Error{Code: storage.InternalErr, Message: "an evaluation is given its transaction"}
}

// Commit has nothing to write.
func (store) Commit(context.Context, storage.Transaction) error { return nil }

// Abort has nothing to undo.
func (store) Abort(context.Context, storage.Transaction) {}

// Truncate is refused like any other write.
func (s store) Truncate(ctx context.Context, txn storage.Transaction, _ storage.TransactionParams, _ storage.Iterator) error {
	return s.Write(ctx, txn, storage.RemoveOp, nil, nil)
}
