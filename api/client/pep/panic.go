package pep

import (
	"fmt"
	"runtime/debug"
)

// A PanicError is the Err of a refusal where the function that makes a request, or
// the checker, panicked. A server of gRPC would end by it, and so by what a caller
// sends.
type PanicError struct {
	// Value is what it panicked with.
	Value any
	// Stack is where, for a log.
	Stack []byte
}

func (e *PanicError) Error() string { return fmt.Sprintf("panic: %v", e.Value) }

// contained does work whose panic becomes its error.
func contained[T any](work func() (T, error)) (result T, err error) {
	defer func() {
		if value := recover(); value != nil {
			err = &PanicError{Value: value, Stack: debug.Stack()}
		}
	}()
	return work()
}
