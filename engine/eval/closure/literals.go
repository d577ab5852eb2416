package closure

import (
	"slices"

	"github.com/open-policy-agent/opa/v1/ast"
)

// foldLiterals makes one expression of a collection that is created and filled
// by statements that stand together, as [x, y] and {"a": x} are planned.
func foldLiterals(b *block, fixed map[local]bool) {
	used := usageOf(b)
	everyBlock(b, func(b *block) {
		var out []statement
		for i := 0; i < len(b.statements); i++ {
			made, isCreate := b.statements[i].(*create)
			if !isCreate || fixed[made.to] || used.asked[made.to] {
				out = append(out, b.statements[i])
				continue
			}
			l, n := literalFrom(made, b.statements[i+1:])
			if n == 0 || used.set[made.to] != 1+n {
				out = append(out, made)
				continue
			}
			out = append(out, &assign{made.to, l, l.at})
			i += n
		}
		b.statements = out
	})
	everyOperand(b, constantLiterals)
}

// constantLiterals makes constants of the collections in an expression that have
// nothing but constants in them, as they may have once rules have been folded.
func constantLiterals(e expression) expression {
	e = eachPart(e, constantLiterals)
	l, isLiteral := e.(literal)
	if !isLiteral || slices.ContainsFunc(l.keys, isVariable) || slices.ContainsFunc(l.values, isVariable) {
		return e
	}
	terms := func(list []expression) []*ast.Term {
		terms := make([]*ast.Term, len(list))
		for i, e := range list {
			terms[i] = e.(constant).term
		}
		return terms
	}
	var made *ast.Term
	switch keys, values := terms(l.keys), terms(l.values); l.kind {
	case arrayKind:
		made = ast.ArrayTerm(values...)
	case setKind:
		made = ast.SetTerm(values...)
	default:
		members := make([][2]*ast.Term, len(keys))
		for i, at := range precedence(l.written) {
			members[at] = [2]*ast.Term{keys[i], values[i]}
		}
		made = object(members)
	}
	sorted(made)
	return constant{made}
}

func isConstant(e expression) bool { _, is := e.(constant); return is }

func isVariable(e expression) bool { return !isConstant(e) }

// literalFrom is the collection that the statements after its creation fill,
// and how many do.
func literalFrom(made *create, filling []statement) (literal, int) {
	l := literal{kind: made.kind}
	for n, s := range filling {
		switch s := s.(type) {
		case *appendTo:
			if s.array != made.to {
				return l, n
			}
			l.values = append(l.values, s.value)
		case *addTo:
			if s.set != made.to {
				return l, n
			}
			l.values, l.at = append(l.values, s.value), s.at
		case *insert:
			if s.object != made.to || s.once {
				return l, n
			}
			l.keys, l.values, l.at = append(l.keys, s.key), append(l.values, s.value), s.at
			l.written = append(l.written, s.written)
		default:
			return l, n
		}
	}
	return l, len(filling)
}
