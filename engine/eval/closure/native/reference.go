package native

import (
	"errors"

	"github.com/open-policy-agent/opa/v1/ast"
	"github.com/open-policy-agent/opa/v1/topdown"
)

// reference calls OPA's own implementation of the named function.
func reference(name string, operands ...*ast.Term) (*ast.Term, error) {
	var result *ast.Term
	err := topdown.GetBuiltin(name)(topdown.BuiltinContext{}, operands, func(t *ast.Term) error {
		result = t
		return nil
	})
	if err != nil {
		return nil, bare(err)
	}
	return result, nil
}

// referencePredicate is reference for a function that yields a boolean.
func referencePredicate(name string, a, b *ast.Term) (bool, error) {
	result, err := reference(name, a, b)
	if err != nil {
		return false, err
	}
	return bool(result.Value.(ast.Boolean)), nil
}

// bare takes off what OPA wraps around the error of a function that it calls. A
// topdown.Halt is not wrapped.
func bare(err error) error {
	if wrapped, ok := err.(*topdown.Error); ok {
		if inner := errors.Unwrap(wrapped); inner != nil {
			return inner
		}
	}
	return err
}
