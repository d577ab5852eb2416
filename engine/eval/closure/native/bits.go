package native

import (
	"github.com/open-policy-agent/opa/v1/ast"
)

// An int64 is what OPA's integers of any size are: two's complement.
var bitFunctions = map[string]Func{
	ast.BitsAnd.Name:        {Binary: bitsAnd},
	ast.BitsOr.Name:         {Binary: bitsOr},
	ast.BitsXOr.Name:        {Binary: bitsXOr},
	ast.BitsNegate.Name:     {Unary: bitsNegate},
	ast.BitsShiftLeft.Name:  {Binary: bitsShiftLeft},
	ast.BitsShiftRight.Name: {Binary: bitsShiftRight},
}

func bitsAnd(a, b *ast.Term) (*ast.Term, error) {
	if x, y, ok := integers(a, b); ok {
		return number(x & y), nil
	}
	return reference(ast.BitsAnd.Name, a, b)
}

func bitsOr(a, b *ast.Term) (*ast.Term, error) {
	if x, y, ok := integers(a, b); ok {
		return number(x | y), nil
	}
	return reference(ast.BitsOr.Name, a, b)
}

func bitsXOr(a, b *ast.Term) (*ast.Term, error) {
	if x, y, ok := integers(a, b); ok {
		return number(x ^ y), nil
	}
	return reference(ast.BitsXOr.Name, a, b)
}

func bitsNegate(a *ast.Term) (*ast.Term, error) {
	if x, ok := integer(a.Value); ok {
		return number(^x), nil
	}
	return reference(ast.BitsNegate.Name, a)
}

func bitsShiftLeft(a, by *ast.Term) (*ast.Term, error) {
	if x, shift, ok := integers(a, by); ok && shift >= 0 && x<<shift>>shift == x {
		return number(x << shift), nil
	}
	return reference(ast.BitsShiftLeft.Name, a, by)
}

func bitsShiftRight(a, by *ast.Term) (*ast.Term, error) {
	if x, shift, ok := integers(a, by); ok && shift >= 0 {
		return number(x >> shift), nil
	}
	return reference(ast.BitsShiftRight.Name, a, by)
}
