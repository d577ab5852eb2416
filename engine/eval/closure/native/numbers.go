package native

import (
	"math"
	"strconv"

	"github.com/open-policy-agent/opa/v1/ast"
)

var numberFunctions = map[string]Func{
	ast.Plus.Name:     {Binary: plus},
	ast.Minus.Name:    {Binary: minus},
	ast.Multiply.Name: {Binary: multiply},
	ast.Divide.Name:   {Binary: divide},
	ast.Rem.Name:      {Binary: remainder},
	ast.Abs.Name:      {Unary: absolute},
	ast.Ceil.Name:     {Unary: func(a *ast.Term) (*ast.Term, error) { return whole(ast.Ceil.Name, a) }},
	ast.Floor.Name:    {Unary: func(a *ast.Term) (*ast.Term, error) { return whole(ast.Floor.Name, a) }},
	ast.Round.Name:    {Unary: func(a *ast.Term) (*ast.Term, error) { return whole(ast.Round.Name, a) }},
}

// integer is the value of a number that is written as digits after at most a
// minus. It is false for any other number, even if it is whole, as 1.0 is, for
// what does not fit, and for what is no number.
func integer(v ast.Value) (int64, bool) {
	n, ok := v.(ast.Number)
	if !ok {
		return 0, false
	}
	digits := n
	if n != "" && n[0] == '-' {
		digits = n[1:]
	}
	const most = 19 // digits, which never overflow 64 bits
	if digits == "" || len(digits) > most {
		return 0, false
	}
	var magnitude uint64
	for i := range len(digits) {
		digit := digits[i] - '0'
		if digit > 9 {
			return 0, false
		}
		magnitude = magnitude*10 + uint64(digit)
	}
	if len(digits) < len(n) {
		return -int64(magnitude), magnitude <= -math.MinInt64
	}
	return int64(magnitude), magnitude <= math.MaxInt64
}

func integers(a, b *ast.Term) (x, y int64, ok bool) {
	if x, ok = integer(a.Value); !ok {
		return 0, 0, false
	}
	y, ok = integer(b.Value)
	return x, y, ok
}

// number is the term of an integer: one of OPA's own if it is small.
func number(i int64) *ast.Term {
	if int64(int(i)) != i { // where an int has 32 bits
		return &ast.Term{Value: ast.Number(strconv.FormatInt(i, 10))}
	}
	return ast.IntNumberTerm(int(i))
}

func plus(a, b *ast.Term) (*ast.Term, error) {
	if x, y, ok := integers(a, b); ok {
		if sum, ok := add(x, y); ok {
			return number(sum), nil
		}
	}
	return reference(ast.Plus.Name, a, b)
}

// add is false if the sum overflows.
func add(x, y int64) (int64, bool) {
	sum := x + y
	return sum, (sum > x) == (y > 0)
}

// minus is the difference of two numbers or of two sets.
func minus(a, b *ast.Term) (*ast.Term, error) {
	if x, y, ok := integers(a, b); ok {
		difference := x - y
		if (difference < x) == (y > 0) {
			return number(difference), nil
		}
	}
	if s, t, ok := twoSets(a, b); ok {
		return without(a, s, t), nil
	}
	return reference(ast.Minus.Name, a, b)
}

func multiply(a, b *ast.Term) (*ast.Term, error) {
	if x, y, ok := integers(a, b); ok {
		if product, ok := times(x, y); ok {
			return number(product), nil
		}
	}
	return reference(ast.Multiply.Name, a, b)
}

// times is false if the product overflows.
func times(x, y int64) (int64, bool) {
	if int64(int32(x)) == x && int64(int32(y)) == y {
		return x * y, true
	}
	if x == math.MinInt64 || y == math.MinInt64 {
		return 0, false
	}
	product := x * y
	return product, y == 0 || product/y == x
}

// divide is only quick where the quotient is whole and not zero: OPA's zero has
// a sign.
func divide(a, b *ast.Term) (*ast.Term, error) {
	if x, y, ok := integers(a, b); ok && x != 0 && x != math.MinInt64 && y != 0 && x%y == 0 {
		return number(x / y), nil
	}
	return reference(ast.Divide.Name, a, b)
}

func remainder(a, b *ast.Term) (*ast.Term, error) {
	if x, y, ok := integers(a, b); ok && y != 0 {
		return number(x % y), nil
	}
	return reference(ast.Rem.Name, a, b)
}

func absolute(a *ast.Term) (*ast.Term, error) {
	if n, ok := a.Value.(ast.Number); ok && canonical(n) && n[0] != '-' && len(n) < 19 {
		return a, nil
	}
	if x, ok := integer(a.Value); ok && x != math.MinInt64 {
		return number(max(x, -x)), nil
	}
	return reference(ast.Abs.Name, a)
}

// whole is a number rounded in whatever way, which leaves an integer as it is.
func whole(name string, a *ast.Term) (*ast.Term, error) {
	const most = 18 // digits; a longer one is rounded to what OPA computes with
	if n, ok := a.Value.(ast.Number); ok && len(n) <= most && canonical(n) {
		return a, nil
	}
	return reference(name, a)
}
