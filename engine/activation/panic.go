package activation

import (
	"errors"
	"fmt"
	"runtime/debug"

	"go.uber.org/zap"
)

// A panicError is a panic, such as of OPA's compiler, as an error: what is
// activated must not end those who decide.
type panicError struct {
	fault any
	stack []byte
}

func (e *panicError) Error() string { return fmt.Sprintf("the activation panicked: %v", e.fault) }

// recovered, deferred, makes a panic the error that is returned.
func recovered(err *error) {
	if fault := recover(); fault != nil {
		*err = &panicError{fault, debug.Stack()}
	}
}

// reasonFields are an error as the log shows it, a panic with its stack.
func reasonFields(err error) []zap.Field {
	fields := []zap.Field{zap.Error(err)}
	if panicked, ok := errors.AsType[*panicError](err); ok {
		fields = append(fields, zap.ByteString("stack", panicked.stack))
	}
	return fields
}
