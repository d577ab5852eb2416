// Package panics makes errors of panics, so that a fault in one decision or in
// one policy does not end a server that others are asking. Who runs what may panic
// defers Catch; who logs the error shows where it came from, by Fields.
//
// The package does not know what panicked.
package panics

import (
	"errors"
	"fmt"
	"runtime/debug"

	"go.uber.org/zap"
)

// An Error is a panic as an error.
type Error struct {
	what  string
	fault any
	stack []byte
}

// Catch, deferred, makes a panic the error that is returned. What panicked is
// told by a word or two, such as "evaluation".
func Catch(what string, err *error) {
	if fault := recover(); fault != nil {
		*err = &Error{what, fault, debug.Stack()}
	}
}

func (e *Error) Error() string { return fmt.Sprintf("the %s panicked: %v", e.what, e.fault) }

// Fields are an error as a log shows it, a panic with its stack.
func Fields(err error) []zap.Field {
	fields := []zap.Field{zap.Error(err)}
	if panicked, is := errors.AsType[*Error](err); is {
		fields = append(fields, zap.ByteString("stack", panicked.stack))
	}
	return fields
}
