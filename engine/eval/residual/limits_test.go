package residual_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/verdictpdp/verdict/api/authz"
	"github.com/verdictpdp/verdict/engine/eval"
	"github.com/verdictpdp/verdict/engine/eval/residual"
	"github.com/verdictpdp/verdict/engine/pip/piptest"
	"github.com/verdictpdp/verdict/policy/rego"
)

// doubling is rules each of which rests on the next twice.
func doubling(depth int) string {
	var source strings.Builder
	source.WriteString("allow if count(s0) > 0\n")
	for i := range depth {
		fmt.Fprintf(&source, "s%d contains 1 if {\n\tcount(s%d) > 0\n\trequest.resource.attributes.a == 1\n}\n", i, i+1)
		fmt.Fprintf(&source, "s%d contains 2 if {\n\tcount(s%d) >= 1\n\trequest.resource.attributes.b == 1\n}\n", i, i+1)
	}
	fmt.Fprintf(&source, "s%d contains 1 if request.resource.attributes.owner == \"user:mina\"\n", depth)
	return source.String()
}

// granted is a directory in which mina has grants on departments.
func granted(grants int) string {
	var lines strings.Builder
	for i := range grants {
		fmt.Fprintf(&lines, `{"grant": {"id": "m%d", "subject": "user:mina", "role": "role:reader", "scope": "department:m%d"}}`+"\n", i, i)
	}
	return directory + lines.String()
}

// The limits count what is done, and so tell the same however long it takes.
func TestLimits(t *testing.T) {
	if testing.Short() {
		t.Skip("one goroutine does it all, and for long")
	}
	const covered = "allow if {\n\tsome grant in request.subject.grants\n\trequest.resource.ancestors[grant.scope]\n}"
	for _, tt := range []struct {
		name, rego, directory, why string
	}{
		{"rules that rest on others", doubling(6), directory, ""},
		{"rules that rest on others without end", doubling(40), directory, "more than 5000 bodies"},
		{"many grants", covered, granted(1_000), ""},
		{"more grants than can be gone through", covered, granted(6_000), "more than 40000 steps"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			w := newWorld(t, compiled(t, tt.rego), "t", piptest.Lines(t, tt.directory)...)
			request := authz.Request{
				Tenant: "t", Subject: authz.Subject{Type: "user", ID: "mina"}, Action: authz.Action{Name: "read"}, Resource: authz.Resource{Type: "doc"},
			}
			left, err := residual.Of(t.Context(), w.policy, w.input(request), residual.Resource)
			if err != nil {
				t.Fatal(err)
			}
			if tt.why == "" {
				if len(left.Unexpressed) > 0 || len(left.Any) == 0 {
					t.Errorf("%d alternatives, unexpressed for %v", len(left.Any), left.Unexpressed)
				}
				return
			}
			if left.Exact || left.Always || len(left.Any) > 0 || len(left.Unexpressed) != 1 || !strings.Contains(left.Unexpressed[0].Why, tt.why) {
				t.Errorf("%d alternatives, exact %t, unexpressed for %v, want …%s…", len(left.Any), left.Exact, left.Unexpressed, tt.why)
			}
		})
	}
}

// What is left ends with its context, also where it is read.
func TestTheContextEnds(t *testing.T) {
	w := newWorld(t, compiled(t, doubling(10)), "t", piptest.Lines(t, directory)...)
	request := authz.Request{
		Tenant: "t", Subject: authz.Subject{Type: "user", ID: "mina"}, Action: authz.Action{Name: "read"}, Resource: authz.Resource{Type: "doc"},
	}
	for after := range 40 {
		ctx := &endingContext{Context: t.Context(), after: after}
		if left, err := residual.Of(ctx, w.policy, w.input(request), residual.Resource); !errors.Is(err, context.Canceled) || left.Any != nil {
			t.Fatalf("after %d looks: %v, %v", after, left.Where, err)
		}
	}
}

// An endingContext ends after it was looked at so many times.
type endingContext struct {
	context.Context
	after int
}

func (c *endingContext) Err() error {
	if c.after--; c.after < 0 {
		return context.Canceled
	}
	return nil
}

// Of allow is left what it says, and deny does not narrow it.
func TestOfAllow(t *testing.T) {
	for _, tt := range []struct {
		name, rego, allow, whole string
		exact                    bool
	}{
		{"with a deny", "allow if request.resource.attributes.n == 1\ndeny contains \"no\" if request.resource.attributes.m", "attributes.n == 1", "attributes.n == 1 and not (attributes.m defined and not (attributes.m == false))", false},
		{"with a deny that holds", "allow if request.resource.attributes.n == 1\ndeny contains \"no\" if request.subject.attributes.level == 2", "attributes.n == 1", "never", false},
		{"without", "allow if request.resource.attributes.n == 1", "attributes.n == 1", "attributes.n == 1", true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			w := newWorld(t, compiled(t, tt.rego), "t", piptest.Lines(t, directory)...)
			request := authz.Request{
				Tenant: "t", Subject: authz.Subject{Type: "user", ID: "mina"}, Action: authz.Action{Name: "read"}, Resource: authz.Resource{Type: "doc"},
			}
			is := func(what string, of func(context.Context, *rego.Policy, eval.Input, residual.Unknown) (residual.Residual, error), want string, exact bool) {
				t.Helper()
				left, err := of(t.Context(), w.policy, w.input(request), residual.Resource)
				if err != nil || left.Where.String() != want || left.Exact != exact {
					t.Errorf("of %s is left %s, exact %t, want %s, %t: %v", what, left.Where, left.Exact, want, exact, err)
				}
			}
			is("allow", residual.OfAllow, tt.allow, tt.exact)
			is("the decision", residual.Of, tt.whole, true)
		})
	}
}
