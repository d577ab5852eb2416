package activation_test

import (
	"strings"
	"testing"
	"time"

	"go.uber.org/zap"

	"github.com/verdictpdp/verdict/api/authz"
	"github.com/verdictpdp/verdict/engine/activation"
	"github.com/verdictpdp/verdict/engine/eval"
	"github.com/verdictpdp/verdict/engine/eval/closure"
	"github.com/verdictpdp/verdict/engine/eval/topdown"
	"github.com/verdictpdp/verdict/policy/bundle"
)

// A policy that says itself what is wrong with it stays out, and the one before in.
func TestAPolicyWithFaultsIsRefused(t *testing.T) {
	const byRoute = `faults contains sprintf("route %d has no path", [r]) if {
	some r
	data.routes[r] == ""
}`
	const plain = "package authz\n\nallow := true\n"
	policy := func(data, faults string) map[string]string {
		return map[string]string{"authz.rego": plain, "table.rego": "package table\n\n" + faults + "\n", "data.json": data}
	}
	tests := []struct {
		name  string
		files map[string]string
		want  string // of the error; empty where the policy becomes active
	}{
		{"no faults", policy(`{"routes": ["/a"]}`, byRoute), ""},
		{"no such rule", map[string]string{"authz.rego": plain}, ""},
		{"undefined", policy(`{}`, "faults := {\"none\"} if false"), ""},
		{"one fault", policy(`{"routes": ["/a", ""]}`, byRoute), "route 1 has no path"},
		{"as many as are told", policy(`{"routes": ["", "", "", "", ""]}`, byRoute), "route 0 has no path; route 1 has no path; route 2 has no path; route 3 has no path; route 4 has no path"},
		{"more than are told", policy(`{"routes": ["", "", "", "", "", "", ""]}`, byRoute), "route 4 has no path; and 2 more"},
		{"no set", policy(`{}`, "faults := 7"), "data.table.faults is no set of texts"},
		{"an error", policy(`{"n": 0}`, "faults contains \"x\" if 1 / data.n == 1"), "data.table.faults: "},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			dir := t.TempDir()
			set := activation.New(activation.Options{
				Tenants: []activation.Tenant{{
					Name: tenant, Path: dir, Load: func(func()) (*bundle.Bundle, error) { return bundle.Read(dir) },
				}},
				Evaluators: []eval.Evaluator{closure.New(), topdown.New()},
				Faults:     []string{"data.table.faults"},
				Logger:     zap.NewNop(),
				Clock:      func() time.Time { return noon },
			})
			write(t, dir, sound("r1"))
			before := activate(t, set)
			write(t, dir, tt.files)
			err := set.Activate(t.Context(), tenant)
			after, _ := set.Active(tenant)
			if tt.want == "" {
				if err != nil || after == before {
					t.Errorf("not activated: %v", err)
				}
				return
			}
			if err == nil || !strings.Contains(err.Error(), tt.want) || after != before {
				t.Errorf("error %v, want %q; and the one before stays: %v", err, tt.want, after == before)
			}
			if kind := authz.KindOf(err); kind != authz.Invalid && kind != authz.Evaluation {
				t.Errorf("error of kind %v", kind)
			}
		})
	}
}
