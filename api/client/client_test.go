package client

import (
	"context"
	"encoding/json"
	"fmt"
	"math"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/grpc/metadata"

	"github.com/verdictpdp/verdict/api/authz"
	"github.com/verdictpdp/verdict/engine/pdp"
)

// wholeRequest has everything that a request can have.
func wholeRequest() authz.Request {
	return authz.Request{
		Tenant:  "blue",
		Subject: authz.Subject{Type: "user", ID: "mina", Properties: authz.Object{"clearance": 2.0}},
		Action:  authz.Action{Name: "read", Properties: authz.Object{"bulk": false}},
		Resource: authz.Resource{Type: "patient_record", ID: "p-102", Properties: authz.Object{
			"wards": []any{"icu", nil, 1.5, authz.Object{"deep": []any{}}},
		}},
		Context: authz.Object{"mfa": true, "ip": "10.0.0.7", "ünïcode": "√"},
	}
}

// wholeDecision has everything that a decision can have.
func wholeDecision() authz.Decision {
	return authz.Decision{
		Allowed: true,
		Reasons: []string{"a", "b"},
		Obligations: authz.Object{
			"mask": []any{"salary"}, "step_up": true, "nothing": nil, "limit": json.Number("7"), "share": json.Number("0.25"),
			"large": json.Number("1e+21"), "in": authz.Object{},
		},
		ID: "d1", PolicyRevision: "r1", DirectoryRevision: math.MaxUint64,
		Explanation: &authz.Explanation{
			Rules: []authz.RuleOutcome{{
				Rule: "data.authz.allow", Title: "t", Location: "a.rego:3", Held: true, Erred: true, FailedAt: "a.rego:4",
				FailedExpr: "x == y", Values: []authz.ExprValue{{Text: "x", Value: "1"}}, ValuesLeftOut: 1, MoreAttempts: 2,
				Passed: 3, Expressions: 4, RestsOn: []string{"data.lib.f"}, RestsOnLeftOut: 5, Rank: 6,
			}},
			Facts:        []authz.Fact{{Ref: "user:mina", Known: true}, {Ref: "user:x"}},
			RulesLeftOut: 7, FactsLeftOut: 8, CutShort: "the time was over",
		},
	}
}

func TestEverythingArrives(t *testing.T) {
	want := wholeDecision()
	want.Obligations["large"] = "1e+21" // the server sends what may be rounded as a text
	options := CheckOptions{Consistency: authz.Consistency{AtLeast: 7}, Explain: true}
	asking := map[string]func(*Client) (authz.Decision, error){
		"one": func(c *Client) (authz.Decision, error) { return c.CheckWith(t.Context(), wholeRequest(), options) },
		"one of a batch": func(c *Client) (authz.Decision, error) {
			decisions, err := c.CheckBatch(t.Context(), []authz.Request{wholeRequest()}, BatchOptions{Consistency: options.Consistency, Explain: true})
			if err != nil {
				return authz.Decision{}, err
			}
			return decisions[0], nil
		},
	}
	for name, ask := range asking {
		t.Run(name, func(t *testing.T) {
			d := &decider{decide: func(context.Context, *authz.Request) (authz.Decision, error) { return wholeDecision(), nil }}
			got, err := ask(dialTo(t, startVerdict(t, d, "", nil).address))
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("decision (-want +got):\n%s", diff)
			}
			if diff := cmp.Diff([]authz.Request{wholeRequest()}, d.asked); diff != "" {
				t.Errorf("request (-want +got):\n%s", diff)
			}
			if diff := cmp.Diff([]pdp.DecideOptions{{Consistency: options.Consistency, Explain: true}}, d.options); diff != "" {
				t.Errorf("options (-want +got):\n%s", diff)
			}
		})
	}
}

func TestTenantOfTheClient(t *testing.T) {
	d := &decider{}
	address := startVerdict(t, d, "", nil).address
	tests := []struct {
		name, tenant, want string
		options            []Option
	}{
		{"none", "", authz.DefaultTenant, nil},
		{"the client's", "", "blue", []Option{WithTenant("blue")}},
		{"the request's", "red", "red", []Option{WithTenant("blue")}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			request := requestAbout("1")
			request.Tenant = tt.tenant
			c := dialTo(t, address, tt.options...)
			if _, err := c.Check(t.Context(), request); err != nil {
				t.Fatal(err)
			}
			if got := d.asked[len(d.asked)-1].Tenant; got != tt.want {
				t.Errorf("tenant = %q, want %q", got, tt.want)
			}
		})
	}
}

func TestAllowed(t *testing.T) {
	d := &decider{decide: func(ctx context.Context, request *authz.Request) (authz.Decision, error) {
		switch request.Resource.ID {
		case "obliged":
			return authz.Decision{Allowed: true, Obligations: authz.Object{"mask": true}}, nil
		case "free":
			return authz.Decision{Allowed: true, Obligations: authz.Object{}}, nil
		case "failing":
			return authz.Decision{ID: "d", Err: authz.Errorf(authz.Evaluation, "division by zero")}, nil
		case "invalid":
			return authz.Decision{}, authz.InvalidField("resource.id", "is no ticket")
		}
		return allowReads(ctx, request)
	}}
	c := dialTo(t, startVerdict(t, d, "", nil).address)
	tests := []struct {
		name, subject, action, resource string
		want                            bool
		wantErr                         string
	}{
		{"allowed", "user:mina", "read", "ticket:1", true, ""},
		{"denied", "user:mina", "write", "ticket:1", false, ""},
		{"allowed without any obligation", "user:mina", "read", "ticket:free", true, ""},
		{"allowed under an obligation", "user:mina", "read", "ticket:obliged", false, ""},
		{"a policy that fails", "user:mina", "read", "ticket:failing", false, "division by zero"},
		{"a request that is refused", "user:mina", "read", "ticket:invalid", false, "resource.id: is no ticket"},
		{"no ref for a subject", "mina", "read", "ticket:1", false, "subject: entity ref"},
		{"no ref for a resource", "user:mina", "read", "ticket", false, "resource: entity ref"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			allowed, err := c.Allowed(t.Context(), tt.subject, tt.action, tt.resource)
			if allowed != tt.want || (err == nil) != (tt.wantErr == "") || err != nil && !strings.Contains(err.Error(), tt.wantErr) {
				t.Errorf("allowed = %t, %v, want %t and an error with %q", allowed, err, tt.want, tt.wantErr)
			}
		})
	}
}

func TestAllowTogetherWithAnErrorDenies(t *testing.T) {
	d := &decider{decide: func(context.Context, *authz.Request) (authz.Decision, error) {
		return authz.Decision{Allowed: true, ID: "d", Err: authz.Errorf(authz.Evaluation, "x")}, nil
	}}
	decision, err := dialTo(t, startVerdict(t, d, "", nil).address).Check(t.Context(), requestAbout("1"))
	if err != nil || decision.Allowed || authz.KindOf(decision.Err) != authz.Evaluation {
		t.Errorf("decision = %+v, %v", decision, err)
	}
}

// Errors arrive with their kind, their text once, and their violations, whether
// the check goes alone or in a batch.
func TestErrorsArrive(t *testing.T) {
	invalid := authz.JoinInvalid([]error{
		authz.InvalidField("subject.type", "is empty"), authz.InvalidField("resource.id", "is empty"),
	})
	tests := []struct {
		name string
		err  error
		kind authz.Kind
		text string
	}{
		{"invalid", invalid, authz.Invalid, "subject.type: is empty; resource.id: is empty"},
		{"not found", authz.Errorf(authz.NotFound, "there is no tenant blue"), authz.NotFound, "there is no tenant blue"},
		{"failed precondition", authz.Errorf(authz.FailedPrecondition, "revision 3 is gone"), authz.FailedPrecondition, "revision 3 is gone"},
		{"unavailable", authz.Errorf(authz.Unavailable, "no active policy yet"), authz.Unavailable, "no active policy yet"},
		{"deadline exceeded", authz.Errorf(authz.DeadlineExceeded, "revision 9 did not come"), authz.DeadlineExceeded, "revision 9 did not come"},
		{"limit exceeded", authz.Errorf(authz.LimitExceeded, "too large"), authz.LimitExceeded, "too large"},
		{"internal", fmt.Errorf("secret"), authz.Internal, "the server's log has more under request"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			d := &decider{decide: func(context.Context, *authz.Request) (authz.Decision, error) { return authz.Decision{}, tt.err }}
			c := dialTo(t, startVerdict(t, d, "", nil).address, WithAttempts(1))
			_, alone := c.CheckWith(t.Context(), requestAbout("1"), CheckOptions{Explain: true})
			gathered := checkTogether(t, c, 5)
			for _, err := range append(gathered, alone) {
				if authz.KindOf(err) != tt.kind || strings.Count(fmt.Sprint(err), tt.text) != 1 {
					t.Errorf("error = %v of kind %v, want %q of kind %v", err, authz.KindOf(err), tt.text, tt.kind)
				}
				if diff := cmp.Diff(authz.ViolationsOf(tt.err), authz.ViolationsOf(err)); diff != "" {
					t.Errorf("violations (-want +got):\n%s", diff)
				}
			}
		})
	}
}

// checkTogether asks n questions at a time and returns the errors.
func checkTogether(t *testing.T, c *Client, n int) []error {
	errs := make([]error, n)
	var asking sync.WaitGroup
	for i := range n {
		asking.Go(func() { _, errs[i] = c.Check(t.Context(), requestAbout(fmt.Sprint(i))) })
	}
	asking.Wait()
	return errs
}

func TestChecksAtATimeAreGathered(t *testing.T) {
	held := make(chan struct{})
	d := &decider{decide: func(ctx context.Context, request *authz.Request) (authz.Decision, error) {
		if request.Resource.ID == "first" {
			<-held
		}
		if request.Resource.ID == "13" {
			return authz.Decision{}, authz.InvalidField("resource.id", "brings bad luck")
		}
		return allowReads(ctx, request)
	}}
	c := dialTo(t, startVerdict(t, d, "", nil).address, WithCoalescing(Coalescing{Wait: time.Second}))
	var asking sync.WaitGroup
	ask := func(id string) {
		decision, err := c.Check(t.Context(), requestAbout(id))
		switch {
		case id == "13" && authz.KindOf(err) == authz.Invalid && !decision.Allowed:
		case id != "13" && err == nil && decision.Allowed && decision.ID == "d-"+id:
		default:
			t.Errorf("%s: %+v, %v", id, decision, err)
		}
	}
	asking.Go(func() { ask("first") })
	waitFor(t, func() bool { d.mu.Lock(); defer d.mu.Unlock(); return len(d.asked) == 1 })
	for i := range 50 {
		asking.Go(func() { ask(fmt.Sprint(i)) })
	}
	waitFor(t, func() bool {
		c.gather.mu.Lock()
		defer c.gather.mu.Unlock()
		t := c.gather.lanes[lane{tenant: authz.DefaultTenant}]
		return t != nil && len(t.waiting) == 50
	})
	close(held)
	asking.Wait()
	if d.batches != 1 {
		t.Errorf("%d batches, want 1", d.batches)
	}
}

func waitFor(t *testing.T, done func() bool) {
	t.Helper()
	for end := time.Now().Add(10 * time.Second); !done(); time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			t.Fatal("it did not come to pass in 10 s")
		}
	}
}

func TestWhatGoesAlone(t *testing.T) {
	traced := metadata.AppendToOutgoingContext(t.Context(), "traceparent", "00-1")
	tests := []struct {
		name    string
		ctx     context.Context
		options []Option
		check   CheckOptions
	}{
		{"every check, without coalescing", t.Context(), []Option{WithoutCoalescing()}, CheckOptions{}},
		{"a check with metadata", traced, nil, CheckOptions{}},
		{"a check to be explained", t.Context(), nil, CheckOptions{Explain: true}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			d := &decider{decide: func(ctx context.Context, request *authz.Request) (authz.Decision, error) {
				time.Sleep(10 * time.Millisecond) // so that all are under way at a time
				return allowReads(ctx, request)
			}}
			c := dialTo(t, startVerdict(t, d, "", nil).address, tt.options...)
			var asking sync.WaitGroup
			for i := range 10 {
				asking.Go(func() {
					if _, err := c.CheckWith(tt.ctx, requestAbout(fmt.Sprint(i)), tt.check); err != nil {
						t.Error(err)
					}
				})
			}
			asking.Wait()
			if d.batches != 0 {
				t.Errorf("%d batches, want none", d.batches)
			}
		})
	}
}

// What the wire cannot carry is refused before it could fail a batch.
func TestWhatTheWireCannotCarry(t *testing.T) {
	circle := authz.Object{}
	circle["in"] = circle
	nested := func(levels int) authz.Object {
		object := authz.Object{}
		for range levels - 1 {
			object = authz.Object{"o": object}
		}
		return object
	}
	lists := any([]any{})
	for range maxDepth {
		lists = []any{lists}
	}
	type change = func(*authz.Request)
	in := func(value any) change { return func(r *authz.Request) { r.Context = authz.Object{"x": value} } }
	tests := []struct {
		name   string
		change change
		want   string // "" is taken
	}{
		{"a tenant that is no UTF-8", func(r *authz.Request) { r.Tenant = "\xff" }, "tenant: is not valid UTF-8"},
		{"a subject's type", func(r *authz.Request) { r.Subject.Type = "\xff" }, "subject.type: is not valid UTF-8"},
		{"a subject's id", func(r *authz.Request) { r.Subject.ID = "\xff" }, "subject.id: is not valid UTF-8"},
		{"an action", func(r *authz.Request) { r.Action.Name = "\xff" }, "action.name: is not valid UTF-8"},
		{"a resource's type", func(r *authz.Request) { r.Resource.Type = "\xff" }, "resource.type: is not valid UTF-8"},
		{"a member's name", func(r *authz.Request) { r.Resource.Properties = authz.Object{"\xff": 1} }, "resource.properties: the member"},
		{"a text", in("\xff"), "context.x: is not valid UTF-8"},
		{"a text in a list", in([]string{"a", "\xff"}), "context.x[1]: is not valid UTF-8"},
		{"not a number", in(math.NaN()), "context.x: NaN is no JSON number"},
		{"infinity", in(math.Inf(-1)), "context.x: -Inf is no JSON number"},
		{"the largest integer", in(int64(1<<53 - 1)), ""},
		{"one more", in(int64(1 << 53)), "send an integer of 2^53 or more as a string"},
		{"the smallest integer", in(-(1<<53 - 1)), ""},
		{"one less", in(-(1 << 53)), "2^53"},
		{"an unsigned one", in(uint64(math.MaxUint64)), "2^53"},
		{"a large float", in(1e300), "2^53"},
		{"a number by its digits", in(json.Number("0.1")), ""},
		{"with more digits than a double", in(json.Number("0.10000000000000000001")), "would be rounded"},
		{"too small for a double", in(json.Number("1e-400")), "would be rounded"},
		{"a zero", in(json.Number("-0.0e5")), ""},
		{"too large for a double", in(json.Number("1e400")), "is no JSON number that a double holds"},
		{"no number", in(json.Number("0x10")), "is no JSON number"},
		{"what JSON has not", in(time.Second), "a time.Duration is no JSON value"},
		{"an object in itself", func(r *authz.Request) { r.Context = circle }, "the nesting is deeper than 64 levels"},
		{"the deepest", func(r *authz.Request) { r.Subject.Properties = nested(maxDepth) }, ""},
		{"one deeper", func(r *authz.Request) { r.Subject.Properties = nested(maxDepth + 1) }, "deeper than 64"},
		{"lists", in(lists), "deeper than 64"},
	}
	d := &decider{}
	c := dialTo(t, startVerdict(t, d, "", nil).address)
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			request := requestAbout("1")
			tt.change(&request)
			before := len(d.asked)
			decision, err := c.Check(t.Context(), request)
			asked := len(d.asked) > before
			switch {
			case tt.want == "" && (err != nil || !decision.Allowed || !asked):
				t.Errorf("decision = %+v, %v", decision, err)
			case tt.want != "" && (authz.KindOf(err) != authz.Invalid || !strings.Contains(err.Error(), tt.want) || asked || decision.Allowed):
				t.Errorf("error = %v, asked = %t, want %q and not to be asked", err, asked, tt.want)
			}
		})
	}
}
