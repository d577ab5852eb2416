package authz_test

import (
	"errors"
	"fmt"
	"testing"

	"github.com/verdictpdp/verdict/api/authz"
)

func TestLimitOf(t *testing.T) {
	steps := authz.Exceeded(authz.StepsLimit, "more than %d steps", 7)
	tests := []struct {
		name string
		err  error
		want authz.Limit
	}{
		{"none", nil, authz.OtherLimit},
		{"no error of ours", errors.New("x"), authz.OtherLimit},
		{"one that names none", authz.Errorf(authz.LimitExceeded, "x"), authz.OtherLimit},
		{"one that names its limit", steps, authz.StepsLimit},
		{"wrapped", fmt.Errorf("evaluating: %w", steps), authz.StepsLimit},
		{"the cause of one that names none", authz.Errorf(authz.LimitExceeded, "a candidate: %w", steps), authz.StepsLimit},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if got := authz.LimitOf(tt.err); got != tt.want {
				t.Errorf("got %v, want %v", got, tt.want)
			}
		})
	}
	if kind := authz.KindOf(steps); kind != authz.LimitExceeded || steps.Error() != "more than 7 steps" {
		t.Errorf("got %v of kind %v", steps, kind)
	}
}

// TestLimitsHaveNames holds that each limit can be told from the others.
func TestLimitsHaveNames(t *testing.T) {
	seen := map[string]bool{}
	for _, limit := range authz.Limits() {
		if name := limit.String(); name == "" || seen[name] {
			t.Errorf("limit %d has the name %q, which is empty or another's", limit, name)
		}
		seen[limit.String()] = true
	}
	if beyond := authz.Limit(len(seen)); beyond.String() != authz.OtherLimit.String() {
		t.Errorf("a limit that there is none of has the name %q", beyond)
	}
}
