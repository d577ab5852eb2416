package authzen

import (
	"net/http"
	"strings"
	"testing"

	"go.uber.org/zap"

	"github.com/verdictpdp/verdict/api/authz"
	"github.com/verdictpdp/verdict/engine/pdp"
	"github.com/verdictpdp/verdict/engine/plan"
)

func TestMembersThatAreLeftOut(t *testing.T) {
	decision := authz.Decision{
		Allowed: true, Reasons: []string{"because"}, Obligations: authz.Object{"mask": "salary"},
		ID: "d1", PolicyRevision: "p7", DirectoryRevision: 42,
	}
	failed := authz.Decision{ID: "d1", Err: authz.Errorf(authz.Evaluation, "conflict")}
	tests := []struct {
		name                 string
		leaveOut             []string
		want, wantOfAFailure string
	}{
		{
			"none", nil,
			`{"decision":true,"context":{"reasons":["because"],"obligations":{"mask":"salary"},"decision_id":"d1","policy_revision":"p7","directory_revision":42}}`,
			`{"decision":false,"context":{"decision_id":"d1","policy_revision":"","directory_revision":0,"error":{"status":500,"kind":"evaluation","message":"conflict"}}}`,
		},
		{
			"some", []string{"reasons", "revisions"},
			`{"decision":true,"context":{"obligations":{"mask":"salary"},"decision_id":"d1"}}`,
			`{"decision":false,"context":{"decision_id":"d1","error":{"status":500,"kind":"evaluation","message":"conflict"}}}`,
		},
		{
			"the others", []string{"obligations", "decision_id"},
			`{"decision":true,"context":{"reasons":["because"],"policy_revision":"p7","directory_revision":42}}`,
			`{"decision":false,"context":{"policy_revision":"","directory_revision":0,"error":{"status":500,"kind":"evaluation","message":"conflict"}}}`,
		},
		{
			"all", MemberNames(),
			`{"decision":true}`,
			`{"decision":false,"context":{"error":{"status":500,"kind":"evaluation","message":"conflict"}}}`,
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			leaveOut, err := ParseMembers(tt.leaveOut)
			if err != nil {
				t.Fatal(err)
			}
			for want, decision := range map[string]authz.Decision{tt.want: decision, tt.wantOfAFailure: failed} {
				handler := newOpen(Options{
					Decider: decideFunc(func(*authz.Request) (authz.Decision, error) { return decision, nil }),
					Logger:  zap.NewNop(), LeaveOut: leaveOut,
				})
				response := post(t, handler, evaluationPath, readRecord)
				if got := strings.TrimSpace(response.Body.String()); response.Code != http.StatusOK || got != want {
					t.Errorf("status %d, body\n%s\nwant 200 and\n%s", response.Code, got, want)
				}
			}
		})
	}
}

// TestEachSetOfMembers asks for decisions, alone and in a batch, for those who are
// found, and for a plan, with each set of members left out.
func TestEachSetOfMembers(t *testing.T) {
	decision := authz.Decision{
		Allowed: true, Reasons: []string{"because"}, Obligations: authz.Object{"mask": "salary"},
		ID: "d1", PolicyRevision: "p7", DirectoryRevision: 42,
	}
	shown := []struct {
		member Members
		text   string
	}{
		{Reasons, `"reasons":["because"]`},
		{Obligations, `"obligations":{"mask":"salary"}`},
		{DecisionID, `"decision_id":"d1"`},
		{Revisions, `"policy_revision":"p7","directory_revision":42`},
	}
	for leaveOut := range AllMembers + 1 {
		var names, members []string
		for i, s := range shown {
			if leaveOut&s.member != 0 {
				names = append(names, MemberNames()[i])
			} else {
				members = append(members, s.text)
			}
		}
		t.Run(strings.Join(names, ","), func(t *testing.T) {
			if parsed, err := ParseMembers(names); err != nil || parsed != leaveOut {
				t.Fatalf("%q stands for %b, %v, want %b", names, parsed, err, leaveOut)
			}
			handler := newOpen(Options{
				Decider: decideFunc(func(*authz.Request) (authz.Decision, error) { return decision, nil }),
				Searcher: searchFunc(func(pdp.Search) (pdp.Found, error) {
					return pdp.Found{PolicyRevision: "p7", DirectoryRevision: 42, Method: pdp.ByScan}, nil
				}),
				Planner: planFunc(func(pdp.PlanQuestion) (pdp.Planned, error) {
					return pdp.Planned{Plan: plan.Plan{Effect: plan.Never, Condition: "false"}, PolicyRevision: "p7", DirectoryRevision: 42}, nil
				}),
				Logger: zap.NewNop(), LeaveOut: leaveOut,
			})
			one := `{"decision":true}`
			if len(members) > 0 {
				one = `{"decision":true,"context":{` + strings.Join(members, ",") + `}}`
			}
			found, planned := `{"results":[]}`, `{"effect":"never","condition":"false"}`
			if leaveOut&Revisions == 0 {
				found = `{"context":{"policy_revision":"p7","directory_revision":42,"method":"scan"},"results":[]}`
				planned = `{"effect":"never","condition":"false","policy_revision":"p7","directory_revision":42}`
			}
			for path, want := range map[string]string{
				evaluationPath: one, evaluationsPath: `{"evaluations":[` + one + `,` + one + `]}`, searchActionPath: found, planPath: planned,
			} {
				response := post(t, handler, path, strings.Replace(readRecord, "{", `{"evaluations":[{},{}],`, 1))
				if got := strings.TrimSpace(response.Body.String()); response.Code != http.StatusOK || got != want {
					t.Errorf("%s: status %d, body\n%s\nwant 200 and\n%s", path, response.Code, got, want)
				}
			}
		})
	}
}

func TestMembersHaveNames(t *testing.T) {
	if all, err := ParseMembers(MemberNames()); err != nil || all != AllMembers {
		t.Errorf("the names stand for %b, %v, want %b", all, err, AllMembers)
	}
	if _, err := ParseMembers([]string{"reasons", "reason"}); authz.KindOf(err) != authz.Invalid || !strings.Contains(err.Error(), `"reason" is none`) {
		t.Errorf("error = %v, want one of kind invalid naming it", err)
	}
}
