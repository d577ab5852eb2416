// Package status is the one map from the kinds of Verdict's errors to the codes
// of the protocols, and the one place that decides what of an error a caller
// may read.
//
// It knows errors only; how they travel is each server's own business. Start
// with Of.
package status

import (
	"net/http"
	"time"
	"unicode/utf8"

	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc/codes"
	grpcstatus "google.golang.org/grpc/status"
	"google.golang.org/protobuf/protoadapt"
	"google.golang.org/protobuf/types/known/durationpb"

	"github.com/verdictpdp/verdict/api/authz"
)

// statusClientClosedRequest is what a caller that gave up would be told. HTTP
// has no code for it; this one is the custom of proxies.
const statusClientClosedRequest = 499

// table holds the codes of every kind. A limit that a decision reaches is no
// status but an error in the decision, so what LimitExceeded stands for here is
// a request too large.
var table = [...]struct {
	grpc codes.Code
	http int
}{
	authz.Internal:           {codes.Internal, http.StatusInternalServerError},
	authz.Invalid:            {codes.InvalidArgument, http.StatusBadRequest},
	authz.NotFound:           {codes.NotFound, http.StatusNotFound},
	authz.FailedPrecondition: {codes.FailedPrecondition, http.StatusConflict},
	authz.LimitExceeded:      {codes.ResourceExhausted, http.StatusRequestEntityTooLarge},
	authz.Unavailable:        {codes.Unavailable, http.StatusServiceUnavailable},
	authz.DeadlineExceeded:   {codes.DeadlineExceeded, http.StatusGatewayTimeout},
	authz.Canceled:           {codes.Canceled, statusClientClosedRequest},
	authz.Evaluation:         {codes.Internal, http.StatusInternalServerError},
	authz.Unauthenticated:    {codes.Unauthenticated, http.StatusUnauthorized},
	authz.PermissionDenied:   {codes.PermissionDenied, http.StatusForbidden},
	authz.Overloaded:         {codes.ResourceExhausted, http.StatusTooManyRequests},
}

// A Public is what of an error a caller may read.
type Public struct {
	// Kind is the error's kind.
	Kind authz.Kind
	// Message is the error's text. Of an internal error it says only where the
	// log tells more.
	Message string
	// Violations are the parts of an invalid input that are wrong.
	Violations []authz.Violation
	// RetryAfter is after how long the request may be sent again; zero where
	// nobody can tell.
	RetryAfter time.Duration
}

// Of is what a caller may read of err, which is not nil. The reference is what
// the log holds about the matter, such as "decision 5f0c". An internal error is
// replaced by it, and must be logged under it, once: by who calls Of, or by the
// decider for the error of a decision.
func Of(err error, reference string) Public {
	kind := authz.KindOf(err)
	if int(kind) >= len(table) {
		kind = authz.Internal
	}
	if kind == authz.Internal {
		return Public{Kind: kind, Message: "internal error: the server's log has more under " + reference}
	}
	return Public{Kind: kind, Message: err.Error(), Violations: authz.ViolationsOf(err), RetryAfter: authz.RetryAfterOf(err)}
}

// HTTP is the HTTP status code of the error.
func (p Public) HTTP() int { return table[p.Kind].http }

// What a gRPC status carries travels in headers, which many clients limit to
// 8 KiB all together.
const (
	maxMessageBytes   = 1 << 10
	maxViolationBytes = 2 << 10
)

// GRPC is the gRPC status of the error, with the violations as field violations
// of a google.rpc.BadRequest, and a google.rpc.RetryInfo where it is known when to
// try again. Long texts are cut.
func (p Public) GRPC() *grpcstatus.Status {
	st := grpcstatus.New(table[p.Kind].grpc, cut(p.Message, maxMessageBytes))
	var details []protoadapt.MessageV1
	if len(p.Violations) > 0 {
		details = append(details, p.badRequest())
	}
	if p.RetryAfter > 0 {
		details = append(details, &errdetails.RetryInfo{RetryDelay: durationpb.New(p.RetryAfter)})
	}
	if len(details) == 0 {
		return st
	}
	detailed, err := st.WithDetails(details...)
	if err != nil { // a text that is not valid UTF-8
		return st
	}
	return detailed
}

// badRequest are the violations, as many as there is room for.
func (p Public) badRequest() *errdetails.BadRequest {
	var request errdetails.BadRequest
	size := 0
	for _, v := range p.Violations {
		field, description := cut(v.Field, maxMessageBytes), cut(v.Description, maxMessageBytes)
		if size += len(field) + len(description); size > maxViolationBytes {
			break
		}
		request.FieldViolations = append(request.FieldViolations,
			&errdetails.BadRequest_FieldViolation{Field: field, Description: description})
	}
	return &request
}

// cut shortens s to at most limit bytes, between two characters.
func cut(s string, limit int) string {
	const ellipsis = "…"
	if len(s) <= limit {
		return s
	}
	end := limit - len(ellipsis)
	for end > 0 && !utf8.RuneStart(s[end]) {
		end--
	}
	return s[:end] + ellipsis
}
