package main

import (
	"context"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"go.uber.org/zap"

	"github.com/verdictpdp/verdict/api/authz"
	"github.com/verdictpdp/verdict/engine/activation"
	"github.com/verdictpdp/verdict/engine/pdp"
)

// TestLimitsOfTheConfigurationHold reaches each configured limit, and meets an
// error that names it.
func TestLimitsOfTheConfigurationHold(t *testing.T) {
	bundle := t.TempDir()
	write(t, filepath.Join(bundle, "authz.rego"), `package authz

allow if data.directory.user[input.subject.id]

allow if data.directory.user.olga

allow if {
	input.action.name == "count"
	count([i | some i in numbers.range(1, 1000000)]) > 0
}
`)
	request := func(action string) *authz.Request {
		return &authz.Request{
			Tenant:   authz.DefaultTenant,
			Subject:  authz.Subject{Type: "user", ID: "mina"},
			Action:   authz.Action{Name: action},
			Resource: authz.Resource{Type: "document", ID: "plan"},
		}
	}
	one := func(ctx context.Context, p *point, action string, c authz.Consistency) error {
		decision, err := p.decisions.Decide(ctx, request(action), pdp.DecideOptions{Consistency: c})
		if err == nil {
			err = decision.Err
		}
		return err
	}
	tests := []struct {
		name   string
		limits func(*limitsConfig)
		ask    func(context.Context, *point) error
		kind   authz.Kind
		want   string
	}{
		{
			"input", func(l *limitsConfig) { l.Input = 10 },
			func(ctx context.Context, p *point) error { return one(ctx, p, "read", authz.Consistency{}) },
			authz.LimitExceeded, "10",
		},
		{
			"evaluation", func(l *limitsConfig) { l.Evaluation = duration(time.Millisecond) },
			func(ctx context.Context, p *point) error { return one(ctx, p, "count", authz.Consistency{}) },
			authz.LimitExceeded, "1ms",
		},
		{
			"steps", func(l *limitsConfig) { l.Steps, l.Evaluation = 1000, unhurriedEvaluation },
			func(ctx context.Context, p *point) error { return one(ctx, p, "count", authz.Consistency{}) },
			authz.LimitExceeded, "1000 steps",
		},
		{
			"entities", func(l *limitsConfig) { l.Entities = 1 },
			func(ctx context.Context, p *point) error { return one(ctx, p, "read", authz.Consistency{}) },
			authz.LimitExceeded, "1",
		},
		{
			"batch", func(l *limitsConfig) { l.Batch = 1 },
			func(ctx context.Context, p *point) error {
				decisions, err := p.decisions.DecideBatch(ctx, pdp.Batch{
					Tenant: authz.DefaultTenant, Requests: []*authz.Request{request("read")},
				})
				if err != nil {
					return err
				}
				return decisions[0].Err
			},
			authz.LimitExceeded, "1ns",
		},
		{
			"wait", func(l *limitsConfig) { l.Wait = duration(time.Millisecond) },
			func(ctx context.Context, p *point) error { return one(ctx, p, "read", authz.Consistency{AtLeast: 1}) },
			authz.DeadlineExceeded, "1ms",
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			cfg := defaultConfig()
			tt.limits(&cfg.Limits)
			p, err := openPoint(pointOptions{
				tenants: []activation.Tenant{bundleAt(authz.DefaultTenant, tenantConfig{Bundle: bundle})},
				config:  cfg, clock: time.Now, logger: zap.NewNop(),
			})
			if err != nil {
				t.Fatal(err)
			}
			defer p.Close()
			if err := p.programs.Activate(t.Context(), authz.DefaultTenant); err != nil {
				t.Fatal(err)
			}
			err = tt.ask(t.Context(), p)
			if err == nil || authz.KindOf(err) != tt.kind || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("got %v (%v), want %v that names %s", err, authz.KindOf(err), tt.kind, tt.want)
			}
		})
	}
}
