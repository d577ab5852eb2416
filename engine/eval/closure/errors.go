package closure

import "slices"

// What may err has its place: it decides whether an evaluation comes to an end,
// and so nothing that may leave it out is moved before it, and it is not left out
// where OPA comes to it.

// mayErr reports whether evaluating an expression may err, or takes a call of
// which that is not known.
func mayErr(e expression) bool {
	may := false
	inOrder(e, func(part expression) {
		called, isBuiltin := part.(callBuiltin)
		may = may || !quietItself(part) && !(isBuiltin && errless[called.name])
	})
	return may
}

// errless are built-ins without errors that may take long.
var errless = map[string]bool{
	memberBuiltin: true, "internal.member_3": true, "type_name": true,
	"is_null": true, "is_boolean": true, "is_number": true, "is_string": true, "is_array": true, "is_set": true, "is_object": true,
}

// mayErrIn is mayErr for a statement with all that is in it.
func mayErrIn(s statement) bool {
	return mayErrItself(s) || slices.ContainsFunc(inner(s), mayErrWithin)
}

// mayErrItself is mayErr for a statement without the blocks in it.
func mayErrItself(s statement) bool {
	switch s.(type) {
	case *assignOnce, *insert, *insertDeep, *merge, *replace: // which may conflict
		return true
	}
	may := false
	eachOperand(s, func(e expression) expression {
		may = may || mayErr(e)
		return e
	})
	return may
}

// mayErrWithin is mayErr for all statements of a block.
func mayErrWithin(b *block) bool { return slices.ContainsFunc(b.statements, mayErrIn) }
