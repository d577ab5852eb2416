package native_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/open-policy-agent/opa/v1/ast"
	"github.com/open-policy-agent/opa/v1/topdown"
	"github.com/open-policy-agent/opa/v1/topdown/builtins"

	"github.com/verdictpdp/verdict/engine/eval/closure/native"
)

// call calls a native function with as many operands as it takes.
func call(t testing.TB, name string, operands []*ast.Term) (*ast.Term, error) {
	f, ok := native.Lookup(name)
	if !ok {
		t.Fatalf("there is no %s", name)
	}
	switch {
	case f.Unary != nil && len(operands) == 1:
		return f.Unary(operands[0])
	case f.Binary != nil && len(operands) == 2:
		return f.Binary(operands[0], operands[1])
	case f.Ternary != nil && len(operands) == 3:
		return f.Ternary(operands[0], operands[1], operands[2])
	case f.Quaternary != nil && len(operands) == 4:
		return f.Quaternary(operands[0], operands[1], operands[2], operands[3])
	}
	t.Fatalf("%s does not take %d operands", name, len(operands))
	return nil, nil
}

// callOPA calls OPA's implementation of a function.
func callOPA(name string, operands []*ast.Term) (result *ast.Term, err error) {
	err = topdown.GetBuiltin(name)(topdown.BuiltinContext{}, operands, func(t *ast.Term) error {
		result = t
		return nil
	})
	return result, err
}

// asOPA wraps the error of a native function as its caller is to do.
func asOPA(name string, err error) error {
	var whole *topdown.Error
	if err == nil || errors.As(err, &whole) {
		return err
	}
	code := topdown.BuiltinErr
	if _, ok := err.(builtins.ErrOperand); ok {
		code = topdown.TypeErr
	}
	return &topdown.Error{Code: code, Message: name + ": " + err.Error()}
}

// outcome is all that can be seen of a call: the texts of numbers, and of errors
// with their codes, and whether one halts everything.
func outcome(result *ast.Term, err error) string {
	var halt topdown.Halt
	switch {
	case errors.As(err, &halt):
		return "halt: " + err.Error()
	case err != nil:
		return err.Error()
	case result == nil:
		return "undefined"
	}
	return result.String()
}

// agree holds a native function to OPA's with these operands.
func agree(t *testing.T, name string, operands []*ast.Term) {
	t.Helper()
	before := fmt.Sprint(operands)
	wantResult, wantErr := callOPA(name, operands)
	want := outcome(wantResult, wantErr)
	result, err := call(t, name, operands)
	if errors.Is(err, native.ErrUnbounded) {
		if name != "numbers.range" && name != "replace" {
			t.Errorf("%s%v gave up, where OPA yields %.200s", name, operands, want)
		}
		return
	}
	if got := outcome(result, asOPA(name, err)); got != want {
		t.Errorf("%s%v\n got %s\nwant %s", name, operands, got, want)
	} else if result != nil && ast.Compare(result, wantResult) != 0 {
		t.Errorf("%s%v: the result looks like %s and is another", name, operands, want)
	}
	if predicate, ok := native.LookupPredicate(name); ok {
		holds, err := predicate(operands[0], operands[1])
		got := outcome(ast.InternedTerm(holds), asOPA(name, err))
		if got != want {
			t.Errorf("%s%v as a predicate\n got %s\nwant %s", name, operands, got, want)
		}
	}
	if spread, ok := native.LookupSpread(name); ok {
		last := operands[len(operands)-1]
		if _, ok := last.Value.(*ast.Array); ok {
			var first *ast.Term
			if len(operands) == 2 {
				first = operands[0]
			}
			result, err := spread(first, elementsOf(last))
			if got := outcome(result, asOPA(name, err)); got != want {
				t.Errorf("%s%v with the elements spread\n got %s\nwant %s", name, operands, got, want)
			}
			if appends, ok := native.LookupAppend(name); ok {
				const before = "before "
				if text, ok := appends([]byte(before), first, elementsOf(last)); ok {
					rest, kept := strings.CutPrefix(string(text), before)
					if got := outcome(ast.StringTerm(rest), nil); !kept || got != want {
						t.Errorf("%s%v appended\n got %s\nwant %s", name, operands, got, want)
					}
				}
			}
		}
	}
	if text, ok := native.LookupText(name); ok {
		if texts, ok := stringsOf(operands); ok {
			if got := outcome(ast.StringTerm(text(texts[0], texts[1])), nil); got != want {
				t.Errorf("%s%v of texts\n got %s\nwant %s", name, operands, got, want)
			}
		}
	}
	if after := fmt.Sprint(operands); after != before {
		t.Errorf("%s changed its operands\n from %s\n   to %s", name, before, after)
	}
}

// stringsOf are the first two operands, where all are strings.
func stringsOf(operands []*ast.Term) (texts [2]string, ok bool) {
	for i, operand := range operands {
		text, isText := operand.Value.(ast.String)
		if !isText {
			return texts, false
		}
		texts[i] = string(text)
	}
	return texts, true
}
