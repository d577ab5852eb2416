package status

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc/codes"
	"google.golang.org/protobuf/proto"

	"github.com/verdictpdp/verdict/api/authz"
)

func TestEveryErrorHasItsCodes(t *testing.T) {
	tests := []struct {
		name string
		err  error
		grpc codes.Code
		http int
	}{
		{"an error without a kind", errors.New("disk on fire"), codes.Internal, http.StatusInternalServerError},
		{"internal", authz.Errorf(authz.Internal, "x"), codes.Internal, http.StatusInternalServerError},
		{"invalid", authz.Errorf(authz.Invalid, "x"), codes.InvalidArgument, http.StatusBadRequest},
		{"not found", authz.Errorf(authz.NotFound, "x"), codes.NotFound, http.StatusNotFound},
		{"failed precondition", authz.Errorf(authz.FailedPrecondition, "x"), codes.FailedPrecondition, http.StatusConflict},
		{"limit exceeded", authz.Errorf(authz.LimitExceeded, "x"), codes.ResourceExhausted, http.StatusRequestEntityTooLarge},
		{"unavailable", authz.Errorf(authz.Unavailable, "x"), codes.Unavailable, http.StatusServiceUnavailable},
		{"deadline exceeded", authz.Errorf(authz.DeadlineExceeded, "x"), codes.DeadlineExceeded, http.StatusGatewayTimeout},
		{"a context's deadline", context.DeadlineExceeded, codes.DeadlineExceeded, http.StatusGatewayTimeout},
		{"canceled", authz.Errorf(authz.Canceled, "x"), codes.Canceled, 499},
		{"a canceled context", context.Canceled, codes.Canceled, 499},
		{"evaluation", authz.Errorf(authz.Evaluation, "x"), codes.Internal, http.StatusInternalServerError},
		{"unauthenticated", authz.Errorf(authz.Unauthenticated, "x"), codes.Unauthenticated, http.StatusUnauthorized},
		{"permission denied", authz.Errorf(authz.PermissionDenied, "x"), codes.PermissionDenied, http.StatusForbidden},
		{"overloaded", authz.Errorf(authz.Overloaded, "x"), codes.ResourceExhausted, http.StatusTooManyRequests},
		{"a kind of the future", &authz.Error{Kind: 200}, codes.Internal, http.StatusInternalServerError},
		{"a wrapped error", fmt.Errorf("tenant blue: %w", authz.Errorf(authz.NotFound, "x")), codes.NotFound, http.StatusNotFound},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			public := Of(tt.err, "request 7")
			if got := public.GRPC().Code(); got != tt.grpc {
				t.Errorf("gRPC code = %v, want %v", got, tt.grpc)
			}
			if got := public.HTTP(); got != tt.http {
				t.Errorf("HTTP status = %d, want %d", got, tt.http)
			}
		})
	}
}

func TestEveryKindIsInTheTable(t *testing.T) {
	// A kind that has no name of its own is past the last one.
	last := authz.Internal
	for (last + 1).String() != authz.Internal.String() {
		last++
	}
	if got := len(table); got != int(last)+1 {
		t.Errorf("the table has %d kinds, package authz has %d", got, int(last)+1)
	}
}

func TestInternalTextStaysInside(t *testing.T) {
	for _, err := range []error{
		errors.New("secret path /var/x"),
		authz.Errorf(authz.Internal, "secret path /var/x"),
		fmt.Errorf("reading: %w", errors.New("secret path /var/x")),
	} {
		public := Of(err, "request 7")
		if strings.Contains(public.Message, "secret") {
			t.Errorf("Of(%v) tells the caller %q", err, public.Message)
		}
		if !strings.Contains(public.Message, "request 7") {
			t.Errorf("Of(%v) does not say where the log tells more: %q", err, public.Message)
		}
	}
}

func TestViolationsBecomeFieldViolations(t *testing.T) {
	err := authz.JoinInvalid([]error{
		authz.InvalidField("subject.type", "is empty"),
		authz.InvalidField("resource.id", "is empty"),
	})
	st := Of(err, "").GRPC()
	if want := "subject.type: is empty; resource.id: is empty"; st.Message() != want {
		t.Errorf("message = %q, want %q", st.Message(), want)
	}
	var got []authz.Violation
	for _, v := range badRequest(t, st.Details()).GetFieldViolations() {
		got = append(got, authz.Violation{Field: v.GetField(), Description: v.GetDescription()})
	}
	if diff := cmp.Diff(authz.ViolationsOf(err), got); diff != "" {
		t.Errorf("field violations (-want +got):\n%s", diff)
	}
}

func TestWhenToTryAgainIsTold(t *testing.T) {
	err := fmt.Errorf("at the door: %w", &authz.Error{Kind: authz.Overloaded, Message: "too much", RetryAfter: 250 * time.Millisecond})
	details := Of(err, "").GRPC().Details()
	if len(details) != 1 {
		t.Fatalf("the status has %d details, want 1", len(details))
	}
	info, is := details[0].(*errdetails.RetryInfo)
	if !is {
		t.Fatalf("the detail is a %T, want a RetryInfo", details[0])
	}
	if got := info.GetRetryDelay().AsDuration(); got != 250*time.Millisecond {
		t.Errorf("try again after %v, want 250ms", got)
	}
	if details := Of(authz.Errorf(authz.Overloaded, "too much"), "").GRPC().Details(); len(details) != 0 {
		t.Errorf("where it is not known when to try again the status has details: %v", details)
	}
}

func TestStatusFitsIntoHeaders(t *testing.T) {
	const headerLimit = 8 << 10
	long := strings.Repeat("é", 5000)
	var errs []error
	for i := range 100 {
		errs = append(errs, authz.InvalidField(fmt.Sprintf("changes[%d].id", i), "%s is too long", authz.Quote(long)))
	}
	errs = append(errs, authz.InvalidField(long, "%s", long))
	st := Of(authz.JoinInvalid(errs), "").GRPC()

	// The message is percent-encoded, the details are base64.
	size := 3*len(st.Message()) + proto.Size(st.Proto())*4/3
	if size > headerLimit {
		t.Errorf("the status takes up to %d bytes of headers, want at most %d", size, headerLimit)
	}
	if !utf8.ValidString(st.Message()) {
		t.Error("the message was cut within a character")
	}
	if got := len(badRequest(t, st.Details()).GetFieldViolations()); got == 0 {
		t.Error("no violation is left")
	}
}

func TestCut(t *testing.T) {
	tests := []struct {
		name, in, want string
		limit          int
	}{
		{"as long as the limit", "abcdef", "abcdef", 6},
		{"one byte over", "abcdefg", "abc…", 6},
		{"not within a character", "aéééé", "aé…", 7},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if got := cut(tt.in, tt.limit); got != tt.want {
				t.Errorf("cut(%q, %d) = %q, want %q", tt.in, tt.limit, got, tt.want)
			}
		})
	}
}

func badRequest(t *testing.T, details []any) *errdetails.BadRequest {
	t.Helper()
	if len(details) != 1 {
		t.Fatalf("the status has %d details, want 1", len(details))
	}
	request, ok := details[0].(*errdetails.BadRequest)
	if !ok {
		t.Fatalf("the detail is a %T, want a BadRequest", details[0])
	}
	return request
}
