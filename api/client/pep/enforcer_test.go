package pep

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/grpc"
	"google.golang.org/grpc/status"
	"pgregory.net/rapid"

	"github.com/verdictpdp/verdict/api/authz"
)

// A checkFunc is a Checker.
type checkFunc func(context.Context, authz.Request) (authz.Decision, error)

func (f checkFunc) Check(ctx context.Context, request authz.Request) (authz.Decision, error) {
	return f(ctx, request)
}

// always decides everything alike.
func always(decision authz.Decision, err error) Checker {
	return checkFunc(func(context.Context, authz.Request) (authz.Decision, error) { return decision, err })
}

// byID decides by the id of the resource.
var byID = checkFunc(func(_ context.Context, request authz.Request) (authz.Decision, error) {
	switch request.Resource.ID {
	case "allowed":
		return authz.Decision{Allowed: true, ID: "d1"}, nil
	case "masked":
		return authz.Decision{Allowed: true, ID: "d2", Obligations: authz.Object{"mask": "salary"}}, nil
	case "odd":
		return authz.Decision{Allowed: true, ID: "d3", Obligations: authz.Object{"mask": "salary", "stand_on_one_leg": false, "bow": nil}}, nil
	case "failing":
		return authz.Decision{ID: "d4", Err: authz.Errorf(authz.Evaluation, "division by zero")}, nil
	case "absurd":
		return authz.Decision{Allowed: true, ID: "d5", Err: authz.Errorf(authz.Evaluation, "division by zero")}, nil
	case "nonsense":
		return authz.Decision{}, authz.InvalidField("resource.id", "is not valid UTF-8")
	case "elsewhere":
		return authz.Decision{}, authz.Errorf(authz.NotFound, "unknown tenant \"blue\"")
	case "endless":
		return authz.Decision{}, authz.Errorf(authz.LimitExceeded, "the message has too many parts")
	case "away":
		return authz.Decision{Allowed: true}, authz.Errorf(authz.Unavailable, "connection refused")
	default:
		return authz.Decision{ID: "d0", Reasons: []string{"No grant is in force.", "It is night."}}, nil
	}
})

func requestAbout(id string) authz.Request {
	return authz.Request{
		Subject:  authz.Subject{Type: "user", ID: "mina"},
		Action:   authz.Action{Name: "read"},
		Resource: authz.Resource{Type: "record", ID: id},
	}
}

// outcomes are what becomes of a request about each resource.
var outcomes = []struct {
	id        string
	goes      bool
	undecided bool
	text      string // of the refusal, for the log
	public    string // of the refusal, for the caller
}{
	{"allowed", true, false, "", ""},
	{"masked", true, false, "", ""},
	{"odd", false, false, "decision d3 allows under obligations that are not declared (pep.WithObligations): bow, stand_on_one_leg", "access denied (decision d3)"},
	{"denied", false, false, "decision d0 denies: No grant is in force.; It is night.", "access denied (decision d0)"},
	{"failing", false, false, "decision d4 denies: division by zero", "access denied (decision d4)"},
	{"absurd", false, false, "decision d5 denies: division by zero", "access denied (decision d5)"},
	{"nonsense", false, false, "denied: the request cannot be decided: resource.id: is not valid UTF-8", "access denied"},
	{"elsewhere", false, false, "denied: the request cannot be decided: unknown tenant \"blue\"", "access denied"},
	{"endless", false, false, "denied: the request cannot be decided: the message has too many parts", "access denied"},
	{"away", false, true, "no decision: connection refused", "access cannot be decided at the moment"},
}

func TestEnforce(t *testing.T) {
	for _, tt := range outcomes {
		t.Run(tt.id, func(t *testing.T) {
			var noticed []string
			e := New(byID, WithObligations("mask"), WithNotice(func(_ context.Context, refusal *Refusal) {
				noticed = append(noticed, refusal.Error())
			}))
			decision, err := e.Enforce(t.Context(), requestAbout(tt.id))
			if tt.goes {
				want, _ := byID(t.Context(), requestAbout(tt.id))
				if diff := cmp.Diff(want, decision); diff != "" || err != nil || noticed != nil {
					t.Errorf("error = %v, noticed %q, decision (-want +got):\n%s", err, noticed, diff)
				}
				return
			}
			refusal, is := errors.AsType[*Refusal](err)
			if !is || refusal.Error() != tt.text || refusal.Public() != tt.public || refusal.Undecided() != tt.undecided {
				t.Errorf("error = %v", err)
			}
			if decision.Allowed {
				t.Error("the decision allows")
			}
			if diff := cmp.Diff([]string{tt.text}, noticed); diff != "" {
				t.Errorf("noticed (-want +got):\n%s", diff)
			}
		})
	}
}

func TestRefusalKeepsTheKind(t *testing.T) {
	_, err := New(byID).Enforce(t.Context(), requestAbout("away"))
	if authz.KindOf(err) != authz.Unavailable {
		t.Errorf("kind = %v", authz.KindOf(err))
	}
}

// Whatever comes together, a call goes ahead only when all is well.
func TestNothingElseGoesAhead(t *testing.T) {
	names := []string{"mask", "log", "step_up"}
	rapid.Check(t, func(t *rapid.T) {
		maybe := func(label string) error {
			if rapid.IntRange(0, 3).Draw(t, label) == 0 {
				return errors.New(label)
			}
			return nil
		}
		decision := authz.Decision{
			Allowed: rapid.IntRange(0, 3).Draw(t, "allowed") > 0, Err: maybe("the policy fails"),
			ID: rapid.SampledFrom([]string{"", "d1"}).Draw(t, "id"),
		}
		declared := rapid.SliceOfDistinct(rapid.SampledFrom(names), rapid.ID[string]).Draw(t, "declared")
		met := true
		for _, name := range rapid.SliceOfDistinct(rapid.SampledFrom(names), rapid.ID[string]).Draw(t, "obligations") {
			if decision.Obligations == nil {
				decision.Obligations = authz.Object{}
			}
			decision.Obligations[name] = true
			met = met && strings.Contains(fmt.Sprint(declared), name)
		}
		checkErr, mapErr := maybe("no answer"), maybe("no request")
		mapped := rapid.IntRange(0, 3).Draw(t, "mapped") > 0
		requestOf := func() (authz.Request, error) { return requestAbout("1"), mapErr }
		if !mapped {
			requestOf = nil
		}
		e := New(always(decision, checkErr), WithObligations(declared...))
		ctx, refusal := e.admit(context.Background(), "a call", requestOf)

		want := mapped && mapErr == nil && checkErr == nil && decision.Allowed && decision.Err == nil && met
		if (refusal == nil) != want {
			t.Fatalf("refusal = %v, want it to go ahead: %t", refusal, want)
		}
		if refusal == nil {
			if got, is := DecisionFrom(ctx); !is || !cmp.Equal(got, decision) {
				t.Fatalf("the handler finds %+v, %t", got, is)
			}
			return
		}
		if ctx != nil || refusal.Error() == "" || refusal.Public() == "" {
			t.Fatalf("refusal = %+v", refusal)
		}
		if want := mapped && mapErr == nil && checkErr != nil; refusal.Undecided() != want {
			t.Fatalf("undecided = %t, want %t", refusal.Undecided(), want)
		}
	})
}

// A fault in what makes a request, or in what decides it, ends neither the call that
// runs into it nor the server.
func TestPanicsRefuse(t *testing.T) {
	asks := func(context.Context, any) (authz.Request, error) { return requestAbout("1"), nil }
	tests := []struct {
		name      string
		checker   Checker
		requestOf func(context.Context, any) (authz.Request, error)
		text      string
		undecided bool
	}{
		{"in the function that makes a request", byID, func(ctx context.Context, _ any) (authz.Request, error) {
			return requestAbout(ctx.Value("user").(string)), nil
		}, "denied: no request was made of the call: panic: interface conversion", false},
		{"in the checker", checkFunc(func(context.Context, authz.Request) (authz.Decision, error) { panic("torn wire") }),
			asks, "no decision: panic: torn wire", true},
		{"for want of a checker", nil, asks, "no decision: panic: runtime error", true},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			var noticed *Refusal
			e := New(tt.checker, WithNotice(func(_ context.Context, refusal *Refusal) { noticed = refusal }))
			check := func(is bool) {
				t.Helper()
				if !is || noticed == nil || noticed.Undecided() != tt.undecided || !strings.HasPrefix(noticed.Error(), tt.text) {
					t.Errorf("refused: %t, noticed %v", is, noticed)
				} else if p, is := errors.AsType[*PanicError](noticed); !is || !strings.Contains(string(p.Stack), "enforcer_test.go") && tt.checker != nil {
					t.Errorf("the stack is %s", p.Stack)
				}
				noticed = nil
			}
			_, err := e.UnaryServerInterceptor(Methods{unaryMethod: tt.requestOf})(t.Context(), messageAbout("1"), &grpc.UnaryServerInfo{FullMethod: unaryMethod},
				func(context.Context, any) (any, error) { return nil, nil })
			check(status.Code(err) == codeOf(false, tt.undecided))
			w := httptest.NewRecorder()
			e.Handler(func(r *http.Request) (authz.Request, error) { return tt.requestOf(r.Context(), r) }, tellMask).
				ServeHTTP(w, httptest.NewRequest(http.MethodGet, "/records/1", nil))
			check(w.Code >= http.StatusForbidden && !strings.Contains(w.Body.String(), "panic"))
			if tt.undecided {
				_, err = e.Enforce(t.Context(), requestAbout("1"))
				check(err != nil)
			}
		})
	}
}

func TestNoDecisionWithoutOne(t *testing.T) {
	if decision, is := DecisionFrom(t.Context()); is || decision.Allowed {
		t.Errorf("decision = %+v, %t", decision, is)
	}
}
