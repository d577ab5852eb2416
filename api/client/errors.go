package client

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc/codes"
	healthpb "google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/status"

	"github.com/verdictpdp/verdict/api/authz"
	verdictv1 "github.com/verdictpdp/verdict/api/verdict/v1"
)

// errClosed is why a call on a closed client fails.
var errClosed = errors.New("the client is closed")

// nearly is how much before the deadline the end of a call is taken for its end.
// The server is told of the deadline, and may be a bit ahead.
const nearly = 20 * time.Millisecond

// failure is the error of a call that brought no answer. What was asked for by
// a context that is over is that context's end, whatever the server says.
func (c *Client) failure(ctx context.Context, err error) error {
	e := failureOf(err)
	deadline, has := ctx.Deadline()
	ended := e.Kind == authz.Canceled || e.Kind == authz.DeadlineExceeded
	late := errors.Is(ctx.Err(), context.DeadlineExceeded) || ended && ctx.Err() == nil && has && time.Until(deadline) < nearly
	switch {
	case late:
		// gRPC may know what took so long, such as that nobody listens.
		e = &authz.Error{Kind: authz.DeadlineExceeded, Message: "no answer within the deadline: " + e.Message, Err: context.DeadlineExceeded}
	case ctx.Err() != nil:
		e = &authz.Error{Kind: authz.Canceled, Message: "the caller gave up before there was an answer", Err: ctx.Err()}
	case c.isClosed():
		e = &authz.Error{Kind: authz.Unavailable, Message: errClosed.Error(), Err: errClosed}
	case e.Kind == authz.Canceled: // and not by the caller
		e.Kind = authz.Unavailable
	}
	// What is wrong with the request is not the server's matter.
	if e.Kind != authz.Invalid {
		e.Message = fmt.Sprintf("verdict at %s: %s", c.target, e.Message)
	}
	return e
}

// failureOf is what a status says.
func failureOf(err error) *authz.Error {
	if e, is := errors.AsType[*authz.Error](err); is {
		return &authz.Error{Kind: e.Kind, Message: e.Message, Violations: e.Violations, RetryAfter: e.RetryAfter, Err: err}
	}
	st := status.Convert(err)
	var violations []authz.Violation
	for _, detail := range st.Details() {
		if request, is := detail.(*errdetails.BadRequest); is {
			for _, v := range request.GetFieldViolations() {
				violations = append(violations, authz.Violation{Field: v.GetField(), Description: v.GetDescription()})
			}
		}
	}
	e := &authz.Error{Kind: kindOfCode(st.Code()), Message: withoutViolations(st.Message(), violations), Violations: violations, Err: err}
	switch st.Code() {
	case codes.ResourceExhausted:
		if after, overloaded := overload(err); overloaded {
			e.Kind, e.RetryAfter = authz.Overloaded, after
		}
	case codes.Unavailable:
		// Of what gRPC says about several attempts, the last is what matters.
		if at := strings.LastIndex(e.Message, unavailableText); at >= 0 {
			e.Message = e.Message[at+len(unavailableText):]
		}
		switch {
		case strings.HasSuffix(e.Message, healthpb.HealthCheckResponse_NOT_SERVING.String()):
			e.Message = "the server says that it is not ready, and its /readyz why"
		case e.Message == "no children to pick from":
			e.Message = "the name has no address"
		}
	case codes.Unauthenticated, codes.PermissionDenied:
		e.Message = "this caller is not accepted: " + e.Message
	case codes.Unimplemented:
		e.Message = "this is no Verdict server, or an older one: " + e.Message
	}
	return e
}

// overload is after how long a call may be made again that a server refused for
// overload; false for other errors. Without the hint, what was exhausted is a limit.
func overload(err error) (after time.Duration, overloaded bool) {
	st := status.Convert(err)
	if st.Code() != codes.ResourceExhausted {
		return 0, false
	}
	for _, detail := range st.Details() {
		if info, is := detail.(*errdetails.RetryInfo); is {
			return max(0, info.GetRetryDelay().AsDuration()), true
		}
	}
	return 0, false
}

const unavailableText = "rpc error: code = Unavailable desc = "

// withoutViolations is a message without the text of the violations, which the
// server ends it with and authz.Error adds.
func withoutViolations(message string, violations []authz.Violation) string {
	text := (&authz.Error{Violations: violations}).Error()
	return strings.TrimSuffix(strings.TrimSuffix(message, text), "; ")
}

// kindOfCode is the kind that the server's status stands for.
func kindOfCode(code codes.Code) authz.Kind {
	switch code {
	case codes.InvalidArgument:
		return authz.Invalid
	case codes.NotFound:
		return authz.NotFound
	case codes.FailedPrecondition:
		return authz.FailedPrecondition
	case codes.Unauthenticated:
		return authz.Unauthenticated
	case codes.PermissionDenied:
		return authz.PermissionDenied
	case codes.ResourceExhausted:
		return authz.LimitExceeded
	case codes.Unavailable:
		return authz.Unavailable
	case codes.DeadlineExceeded:
		return authz.DeadlineExceeded
	case codes.Canceled:
		return authz.Canceled
	default:
		return authz.Internal
	}
}

// errorOf is the error that a decision carries, or nil of nil.
func errorOf(message *verdictv1.DecisionError) error {
	if message == nil {
		return nil
	}
	var violations []authz.Violation
	for _, v := range message.GetViolations() {
		violations = append(violations, authz.Violation{Field: v.GetField(), Description: v.GetDescription()})
	}
	return &authz.Error{
		Kind:       message.GetKind().Kind(),
		Message:    withoutViolations(message.GetMessage(), violations),
		Violations: violations,
	}
}
