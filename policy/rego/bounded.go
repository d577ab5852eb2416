package rego

import (
	"errors"
	"fmt"

	"github.com/open-policy-agent/opa/v1/ast"
)

// A StandIn is a built-in that takes the place of OPA's of the same purpose,
// which looks neither at the clock nor at whether it is to stop: on a graph of a
// few layers, OPA's graph.reachable visits nodes again by every way that leads
// to them, which is exponential in the layers; and a template may range over
// what it ranges over.
//
// Compile and ForTests turn each call of OPA's, mocks included, into a call of
// ours, which has the same results. A policy is written with OPA's names, and
// its errors and explanations show them. (OPA looks up functions under its own
// names in a table of the whole process before any that a query brings, so
// theirs cannot be replaced for one query.)
type StandIn struct {
	// Decl declares it, under a name of its own.
	Decl *ast.Builtin
	opas *ast.Builtin
	call call
}

// A call computes a built-in's value, until stop reports that it is to end.
type call func(operands []*ast.Term, stop func() bool) (*ast.Term, error)

// StandIns are all there are.
func StandIns() []StandIn { return standIns }

var standIns = []StandIn{
	standIn(ast.ReachableBuiltin, overGraph(reachable)),
	standIn(ast.ReachablePathsBuiltin, overGraph(reachablePaths)),
	standIn(ast.RenderTemplate, rendered),
}

func standIn(opas *ast.Builtin, call call) StandIn {
	return StandIn{
		Decl: &ast.Builtin{Name: "verdict." + opas.Name, Description: opas.Description, Categories: opas.Categories, Decl: opas.Decl},
		opas: opas,
		call: call,
	}
}

// ErrStopped ends a call that was told to stop.
var ErrStopped = errors.New("told to stop")

// A CallError is the error of a stand-in's call. It shows OPA's name.
type CallError struct {
	name  string
	cause error
}

func (e *CallError) Error() string { return e.name + ": " + e.cause.Error() }

// Unwrap is the cause, such as ErrStopped.
func (e *CallError) Unwrap() error { return e.cause }

// OfOperand reports whether the cause is the type of an operand, which OPA has a
// code of its own for.
func (e *CallError) OfOperand() bool {
	_, is := errors.AsType[operandError](e.cause)
	return is
}

// An operandError says of which type an operand should be.
type operandError struct{ error }

// Call computes the built-in's value. Its error is a *CallError: ErrStopped
// soon after stop, which may be asked often, has reported true, and otherwise
// what is wrong, with an operand or what it holds.
func (s StandIn) Call(operands []*ast.Term, stop func() bool) (*ast.Term, error) {
	result, err := s.call(operands, stop)
	if err != nil {
		return nil, &CallError{name: s.opas.Name, cause: err}
	}
	return result, nil
}

func wrongOperand(position int, got *ast.Term, want string) error {
	return operandError{fmt.Errorf("operand %d must be %s but got %s", position, want, ast.ValueName(got.Value))}
}

// withStandIns makes a compiler put the stand-ins in, once all findings about
// the policy have been reported under OPA's names.
func withStandIns(compiler *ast.Compiler) *ast.Compiler {
	capabilities := compiler.Capabilities()
	for _, s := range standIns {
		capabilities.Builtins = append(capabilities.Builtins, s.Decl)
	}
	return compiler.WithStageAfterID(ast.StageCheckTypes, ast.CompilerStageDefinition{
		Name:       "StandIns",
		MetricName: "compile_stage_stand_ins",
		Stage:      putStandIns,
	})
}

func putStandIns(compiler *ast.Compiler) *ast.Error {
	var pairs [][2]ast.Ref // OPA's and ours
	for _, s := range standIns {
		pairs = append(pairs, [2]ast.Ref{s.opas.Ref(), s.Decl.Ref()})
	}
	for _, module := range compiler.Modules {
		ast.WalkTerms(module, func(term *ast.Term) bool {
			ref, isRef := term.Value.(ast.Ref)
			if !isRef {
				return false
			}
			for _, pair := range pairs {
				if ref.Equal(pair[0]) {
					term.Value = pair[1]
				}
			}
			return false
		})
	}
	return nil
}
