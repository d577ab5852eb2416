package native

import (
	"github.com/open-policy-agent/opa/v1/ast"
)

var arrayFunctions = map[string]Func{
	ast.ArrayConcat.Name:  {Binary: arrayConcat},
	ast.ArraySlice.Name:   {Ternary: arraySlice},
	ast.ArrayReverse.Name: {Unary: arrayReverse},
	ast.NumbersRange.Name: {Binary: numbersRange},
}

func arrayConcat(a, b *ast.Term) (*ast.Term, error) {
	x, ok := a.Value.(*ast.Array)
	if !ok {
		return reference(ast.ArrayConcat.Name, a, b)
	}
	y, ok := b.Value.(*ast.Array)
	if !ok {
		return reference(ast.ArrayConcat.Name, a, b)
	}
	if x.Len() == 0 {
		return b, nil
	}
	if y.Len() == 0 {
		return a, nil
	}
	joined := make([]*ast.Term, x.Len()+y.Len())
	for i := range x.Len() {
		joined[i] = x.Elem(i)
	}
	for i := range y.Len() {
		joined[x.Len()+i] = y.Elem(i)
	}
	return ast.ArrayTerm(joined...), nil
}

// arraySlice is the elements from one index up to, and without, another. What
// lies outside of the array is left out.
func arraySlice(a, from, to *ast.Term) (*ast.Term, error) {
	array, ok := a.Value.(*ast.Array)
	if !ok {
		return reference(ast.ArraySlice.Name, a, from, to)
	}
	start, ok := integer(from.Value)
	if !ok {
		return reference(ast.ArraySlice.Name, a, from, to)
	}
	stop, ok := integer(to.Value)
	if !ok {
		return reference(ast.ArraySlice.Name, a, from, to)
	}
	length := int64(array.Len())
	stop = min(max(stop, 0), length)
	start = min(max(start, 0), stop)
	switch {
	case start == 0 && stop == length:
		return a, nil
	case start == stop:
		return ast.InternedEmptyArray, nil
	}
	return ast.NewTerm(array.Slice(int(start), int(stop))), nil
}

func arrayReverse(a *ast.Term) (*ast.Term, error) {
	array, ok := a.Value.(*ast.Array)
	if !ok {
		return reference(ast.ArrayReverse.Name, a)
	}
	if array.Len() < 2 {
		return a, nil
	}
	reversed := make([]*ast.Term, array.Len())
	for i := range reversed {
		reversed[i] = array.Elem(array.Len() - 1 - i)
	}
	return ast.ArrayTerm(reversed...), nil
}

// numbersRange is the integers from one to another, both included, up or down.
func numbersRange(a, b *ast.Term) (*ast.Term, error) {
	from, to, ok := integers(a, b)
	if !ok {
		return nil, ErrUnbounded
	}
	step := int64(1)
	if from > to {
		step = -1
	}
	distance := (to - from) * step
	const most = 10_000 // numbers, which take OPA less than a millisecond
	if distance < 0 || distance >= most {
		return nil, ErrUnbounded
	}
	numbers := make([]*ast.Term, distance+1)
	for i := range numbers {
		numbers[i] = number(from + int64(i)*step)
	}
	return ast.ArrayTerm(numbers...), nil
}
