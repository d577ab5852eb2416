package authz

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"
)

// A Kind says what sort of failure an error is. An edge maps kinds to its
// protocol's codes; the text is for people.
type Kind uint8

const (
	// Internal is a fault of Verdict itself, and the kind of any error that
	// has none. Its text stays in the log.
	Internal Kind = iota
	// Invalid is input that can never be accepted as it stands.
	Invalid
	// NotFound is something named that is not there, such as a tenant.
	NotFound
	// FailedPrecondition is input that does not fit the present state: a
	// precondition of a write, a revision outside the retention window, a
	// parent that would close a cycle.
	FailedPrecondition
	// LimitExceeded is a limit reached, which the text names.
	LimitExceeded
	// Unavailable is a part that is not ready or is closing; try again.
	Unavailable
	// DeadlineExceeded is time that ran out.
	DeadlineExceeded
	// Canceled is a caller that gave up.
	Canceled
	// Evaluation is a policy that failed while it ran.
	Evaluation
	// Unauthenticated is a caller that did not prove who it is.
	Unauthenticated
	// PermissionDenied is a caller that may not do this.
	PermissionDenied
	// Overloaded is more work than there is room for; try again in a while.
	Overloaded
)

var kindNames = [...]string{
	Internal: "internal", Invalid: "invalid", NotFound: "not_found",
	FailedPrecondition: "failed_precondition", LimitExceeded: "limit_exceeded",
	Unavailable: "unavailable", DeadlineExceeded: "deadline_exceeded",
	Canceled: "canceled", Evaluation: "evaluation",
	Unauthenticated: "unauthenticated", PermissionDenied: "permission_denied",
	Overloaded: "overloaded",
}

// String is the kind's name in logs and in JSON, such as "limit_exceeded".
func (k Kind) String() string {
	if int(k) < len(kindNames) {
		return kindNames[k]
	}
	return kindNames[Internal]
}

// Kinds are all kinds, Internal first.
func Kinds() []Kind {
	all := make([]Kind, len(kindNames))
	for i := range all {
		all[i] = Kind(i)
	}
	return all
}

// A Violation says which part of an input is wrong, and how.
type Violation struct {
	// Field is the path to the part, such as "changes[3].put_entity.parents".
	Field string
	// Description is what is wrong and what was expected.
	Description string
}

// An Error is a failure with a kind.
type Error struct {
	Kind Kind
	// Message says what was wrong and what to do. It is empty when the
	// violations say it all.
	Message string
	// Violations are the parts of an Invalid input that are wrong.
	Violations []Violation
	// RetryAfter is after how long an Overloaded request may be sent again; zero
	// where nobody can tell.
	RetryAfter time.Duration
	// Limit is the limit that is reached, for the kinds that are about one.
	Limit Limit
	// Err is the cause, if there is one. It is not part of the text.
	Err error
}

// Error is the message, followed by the violations, one after the other.
func (e *Error) Error() string {
	var text strings.Builder
	text.WriteString(e.Message)
	for _, v := range e.Violations {
		if text.Len() > 0 {
			text.WriteString("; ")
		}
		if v.Field != "" {
			text.WriteString(v.Field)
			text.WriteString(": ")
		}
		text.WriteString(v.Description)
	}
	return text.String()
}

// Unwrap is the cause.
func (e *Error) Unwrap() error { return e.Err }

// Errorf makes an error of a kind. A %w in the format becomes its cause.
func Errorf(kind Kind, format string, args ...any) error {
	err := fmt.Errorf(format, args...)
	return &Error{Kind: kind, Message: err.Error(), Err: errors.Unwrap(err)}
}

// InvalidField makes an error of kind Invalid about one field.
func InvalidField(field, format string, args ...any) error {
	return &Error{Kind: Invalid, Violations: []Violation{{Field: field, Description: fmt.Sprintf(format, args...)}}}
}

// InField puts an error's violations below a field. An Invalid error without
// violations becomes one; an error of another kind is returned as it is.
func InField(field string, err error) error {
	if KindOf(err) != Invalid {
		return err
	}
	inner := asError(err)
	out := &Error{Kind: Invalid, Err: inner.Err}
	if inner.Message != "" {
		out.Violations = append(out.Violations, Violation{Field: field, Description: inner.Message})
	}
	for _, v := range inner.Violations {
		path := field
		if v.Field != "" {
			path += "." + v.Field
		}
		out.Violations = append(out.Violations, Violation{Field: path, Description: v.Description})
	}
	return out
}

// maxViolations is how many violations one error lists.
const maxViolations = 100

// JoinInvalid makes one error of many: nil of none, the first that is not
// Invalid where there is one, and otherwise one with all violations, of which
// a bounded number is listed.
func JoinInvalid(errs []error) error {
	if len(errs) == 0 {
		return nil
	}
	joined := &Error{Kind: Invalid}
	for _, err := range errs {
		if KindOf(err) != Invalid {
			return err
		}
		inner := InField("", err)
		joined.Violations = append(joined.Violations, asError(inner).Violations...)
	}
	if extra := len(joined.Violations) - maxViolations; extra > 0 {
		joined.Violations = joined.Violations[:maxViolations]
		joined.Message = fmt.Sprintf("%d more are wrong", extra)
	}
	for i, v := range joined.Violations {
		joined.Violations[i].Field = strings.TrimPrefix(v.Field, ".")
	}
	return joined
}

// KindOf is the kind of err, or of the first error with a kind that it wraps.
// A context's own errors have the kinds Canceled and DeadlineExceeded; any
// other error is Internal.
func KindOf(err error) Kind {
	if e := asError(err); e != nil {
		return e.Kind
	}
	switch {
	case errors.Is(err, context.Canceled):
		return Canceled
	case errors.Is(err, context.DeadlineExceeded):
		return DeadlineExceeded
	}
	return Internal
}

// ViolationsOf are the violations of err, if it has any.
func ViolationsOf(err error) []Violation {
	if e := asError(err); e != nil {
		return e.Violations
	}
	return nil
}

// RetryAfterOf is after how long what err refused may be sent again, if that is
// known.
func RetryAfterOf(err error) time.Duration {
	if e := asError(err); e != nil {
		return e.RetryAfter
	}
	return 0
}

func asError(err error) *Error {
	var e *Error
	if errors.As(err, &e) {
		return e
	}
	return nil
}

func indexed(field string, i int) string { return fmt.Sprintf("%s[%d]", field, i) }
