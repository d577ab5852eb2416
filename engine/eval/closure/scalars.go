package closure

import (
	"math"

	"github.com/open-policy-agent/opa/v1/ast"

	"github.com/verdictpdp/verdict/engine/eval/closure/native"
)

// scalars find what stands under a scalar equal to another, however many there
// are.
type scalars[T any] struct {
	byText map[string]T
	byHash map[uint64][]underScalar[T] // numbers, booleans and null
}

type underScalar[T any] struct {
	scalar *ast.Term
	is     T
}

// put puts something under a scalar, in the place of what stood there.
func (s *scalars[T]) put(scalar *ast.Term, is T) {
	if text, isText := scalar.Value.(ast.String); isText {
		if s.byText == nil {
			s.byText = make(map[string]T)
		}
		s.byText[string(text)] = is
		return
	}
	if s.byHash == nil {
		s.byHash = make(map[uint64][]underScalar[T])
	}
	hash, _ := scalarHash(scalar.Value)
	for i, there := range s.byHash[hash] {
		if native.Equal(there.scalar, scalar) {
			s.byHash[hash][i].is = is
			return
		}
	}
	s.byHash[hash] = append(s.byHash[hash], underScalar[T]{scalar, is})
}

// get is what stands under a value; false where nothing does, as under all that is
// no scalar.
func (s *scalars[T]) get(value *ast.Term) (is T, found bool) {
	if text, isText := value.Value.(ast.String); isText {
		is, found = s.byText[string(text)]
		return is, found
	}
	hash, isScalar := scalarHash(value.Value)
	if !isScalar {
		return is, false
	}
	for _, there := range s.byHash[hash] {
		if native.Equal(there.scalar, value) {
			return there.is, true
		}
	}
	return is, false
}

// scalarHash is the same for equal scalars. Numbers are equal however they are
// written.
func scalarHash(value ast.Value) (hash uint64, isScalar bool) {
	switch v := value.(type) {
	case ast.Number:
		f, fits := v.Float64()
		if !fits || f == 0 { // which may be below 0
			return 0, true
		}
		return math.Float64bits(f), true
	case ast.Boolean:
		if v {
			return 1, true
		}
		return 2, true
	case ast.Null:
		return 3, true
	default:
		return 0, false
	}
}
