package client

import (
	"context"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/verdictpdp/verdict/api/authz"
	verdictv1 "github.com/verdictpdp/verdict/api/verdict/v1"
)

func TestCheckBatch(t *testing.T) {
	d := &decider{decide: func(ctx context.Context, request *authz.Request) (authz.Decision, error) {
		if request.Subject.ID == "" {
			return authz.Decision{}, authz.InvalidField("subject.id", "is empty")
		}
		return allowReads(ctx, request)
	}}
	c := dialTo(t, startVerdict(t, d, "", nil).address)
	many := func(n int) []authz.Request { return make([]authz.Request, n) }
	other := requestAbout("2")
	other.Tenant = "blue"
	tests := []struct {
		name     string
		requests []authz.Request
		semantic Semantic
		wantErr  string
	}{
		{"none", nil, ExecuteAll, "a batch of 0 requests"},
		{"the most", many(MaxBatch), ExecuteAll, ""},
		{"one more", many(MaxBatch + 1), ExecuteAll, "a batch of 1001 requests"},
		{"of two tenants", []authz.Request{requestAbout("1"), other}, ExecuteAll, "requests[1].tenant: \"blue\" is not the tenant"},
		{"of a semantic that is none", many(1), PermitOnFirstPermit + 1, "semantic: 3 is none"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			decisions, err := c.CheckBatch(t.Context(), tt.requests, BatchOptions{Semantic: tt.semantic})
			if (err == nil) != (tt.wantErr == "") || err != nil && !strings.Contains(err.Error(), tt.wantErr) {
				t.Fatalf("error = %v, want %q", err, tt.wantErr)
			}
			if err == nil && len(decisions) != len(tt.requests) {
				t.Errorf("%d decisions", len(decisions))
			}
		})
	}
	t.Run("one that is wrong leaves the others", func(t *testing.T) {
		nobody, hidden, denied := requestAbout("2"), requestAbout("\xff"), requestAbout("4")
		nobody.Subject.ID = ""
		denied.Action.Name = "write"
		decisions, err := c.CheckBatch(t.Context(), []authz.Request{requestAbout("1"), nobody, hidden, denied, requestAbout("5")}, BatchOptions{})
		if err != nil {
			t.Fatal(err)
		}
		var got []string
		for _, decision := range decisions {
			got = append(got, fmt.Sprint(decision.Allowed, " ", decision.Err))
		}
		want := []string{"true <nil>", "false subject.id: is empty", "false resource.id: is not valid UTF-8", "false <nil>", "true <nil>"}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("decisions (-want +got):\n%s", diff)
		}
	})
	t.Run("where all are wrong, nothing is sent", func(t *testing.T) {
		asked := len(d.asked)
		decisions, err := c.CheckBatch(t.Context(), []authz.Request{requestAbout("\xff")}, BatchOptions{})
		if err != nil || authz.KindOf(decisions[0].Err) != authz.Invalid || len(d.asked) != asked {
			t.Errorf("decisions = %+v, %v", decisions, err)
		}
	})
}

// A batch has the decisions up to the one that stops it, whether the server makes
// that one or the client.
func TestSemanticsOfABatch(t *testing.T) {
	// y is allowed, n denied, f fails in the policy, x cannot be sent.
	d := &decider{decide: func(_ context.Context, request *authz.Request) (authz.Decision, error) {
		decision := authz.Decision{ID: "d", Allowed: request.Resource.ID == "y"}
		if request.Resource.ID == "f" {
			decision.Err = authz.Errorf(authz.Evaluation, "division by zero")
		}
		return decision, nil
	}}
	c := dialTo(t, startVerdict(t, d, "", nil).address)
	tests := []struct {
		requests       string
		all, and, or   string // the decisions
		asked          int    // of the server, for and
		askedForPermit int
	}{
		{"yyy", "yyy", "yyy", "y", 3, 1},
		{"yny", "yny", "yn", "y", 2, 1},
		{"nyn", "nyn", "n", "ny", 1, 2},
		{"nnn", "nnn", "n", "nnn", 1, 3},
		{"yfy", "yfy", "yf", "y", 2, 1},
		{"yxy", "yxy", "yx", "y", 1, 1},
		{"xyy", "xyy", "x", "xy", 0, 1},
		{"xx", "xx", "x", "xx", 0, 0},
		{"nxnyx", "nxnyx", "n", "nxny", 1, 3},
		{"yyx", "yyx", "yyx", "y", 2, 1},
	}
	for _, tt := range tests {
		for semantic, want := range map[Semantic]string{ExecuteAll: tt.all, DenyOnFirstDeny: tt.and, PermitOnFirstPermit: tt.or} {
			t.Run(fmt.Sprint(tt.requests, semantic), func(t *testing.T) {
				var requests []authz.Request
				for _, id := range tt.requests {
					requests = append(requests, requestAbout(strings.ReplaceAll(string(id), "x", "\xff")))
				}
				before := len(d.asked)
				decisions, err := c.CheckBatch(t.Context(), requests, BatchOptions{Semantic: semantic})
				if err != nil {
					t.Fatal(err)
				}
				got := ""
				for _, decision := range decisions {
					switch kind := authz.KindOf(decision.Err); {
					case decision.Allowed:
						got += "y"
					case decision.Err == nil:
						got += "n"
					case kind == authz.Evaluation:
						got += "f"
					case kind == authz.Invalid:
						got += "x"
					}
				}
				if got != want {
					t.Errorf("decisions = %s, want %s", got, want)
				}
				asked := map[Semantic]int{ExecuteAll: len(tt.requests) - strings.Count(tt.requests, "x"), DenyOnFirstDeny: tt.asked, PermitOnFirstPermit: tt.askedForPermit}
				if got := len(d.asked) - before; got != asked[semantic] {
					t.Errorf("the server decided %d, want %d", got, asked[semantic])
				}
			})
		}
	}
}

// Answers that are not those of the batch are none.
func TestAnswersThatDoNotFitTheBatch(t *testing.T) {
	tests := []struct {
		answers  string // y for an allow, n for a deny, f for an allow with an error
		items    int
		semantic Semantic
		fit      bool
	}{
		{"yny", 3, ExecuteAll, true},
		{"yn", 3, ExecuteAll, false},
		{"ynyn", 3, ExecuteAll, false},
		{"", 1, ExecuteAll, false},
		{"yyy", 3, DenyOnFirstDeny, true},
		{"yn", 3, DenyOnFirstDeny, true},
		{"yf", 3, DenyOnFirstDeny, true},
		{"yy", 3, DenyOnFirstDeny, false},
		{"yny", 3, DenyOnFirstDeny, false},
		{"yyyy", 3, DenyOnFirstDeny, false},
		{"yyyn", 3, DenyOnFirstDeny, false},
		{"", 1, DenyOnFirstDeny, false},
		{"nfn", 3, PermitOnFirstPermit, true},
		{"ny", 3, PermitOnFirstPermit, true},
		{"nn", 3, PermitOnFirstPermit, false},
		{"yn", 3, PermitOnFirstPermit, false},
	}
	for _, tt := range tests {
		t.Run(fmt.Sprintf("%s of %d by %d", tt.answers, tt.items, tt.semantic), func(t *testing.T) {
			response := &verdictv1.BatchCheckAccessResponse{}
			for _, answer := range tt.answers {
				message := &verdictv1.CheckAccessResponse{Allowed: answer != 'n'}
				if answer == 'f' {
					message.Error = &verdictv1.DecisionError{}
				}
				response.Responses = append(response.Responses, message)
			}
			if err := complete(response, tt.items, tt.semantic); (err == nil) != tt.fit {
				t.Errorf("error = %v", err)
			}
		})
	}
}
