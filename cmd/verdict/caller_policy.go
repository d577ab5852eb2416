package main

import (
	"context"
	"fmt"
	"slices"
	"time"

	"go.uber.org/zap"

	"github.com/verdictpdp/verdict/bundles"
	"github.com/verdictpdp/verdict/engine/activation"
	"github.com/verdictpdp/verdict/engine/gate"
	"github.com/verdictpdp/verdict/engine/server/grpcapi"
	"github.com/verdictpdp/verdict/policy/bundle"
)

// callerPolicy is the name under which the policy for callers is activated, as those of
// tenants are, in a set of its own.
const callerPolicy = "callers"

// openGate is what holds callers to what they may do, by a policy that is active when it
// returns. Nothing said of callers is an open gate.
func (s *service) openGate(ctx context.Context, clock func() time.Time) error {
	config := &s.config.Callers
	if !config.on() {
		s.gate = gate.Open{}
		return nil
	}
	roles := config.roles()
	tenant := activation.Tenant{Name: callerPolicy, Package: gate.Package, Load: func(func()) (*bundle.Bundle, error) {
		b, err := bundle.ReadFS(bundles.FS, "api")
		return withRoles(b, err, roles)
	}}
	if config.Bundle != "" {
		tenant = bundleAt(callerPolicy, tenantConfig{Bundle: config.Bundle, Package: gate.Package})
		load := tenant.Load
		tenant.Load = func(rest func()) (*bundle.Bundle, error) {
			b, err := load(rest)
			return withRoles(b, err, roles)
		}
	}
	s.callerPolicies = activation.New(activation.Options{
		Tenants:    []activation.Tenant{tenant},
		Evaluators: evaluators(),
		Pace:       s.pace,
		Rules:      []string{gate.Allow, gate.Deny},
		Logger:     s.logger,
		Clock:      clock,
	})
	if err := s.callerPolicies.Activate(ctx, callerPolicy); err != nil {
		return fmt.Errorf("the policy for callers: %w", err)
	}
	s.gate = gate.New(gate.Options{Logger: s.logger, Clock: clock, Rules: func() (gate.Rules, error) {
		active, err := s.callerPolicies.Active(callerPolicy)
		if err != nil {
			return gate.Rules{}, err
		}
		return gate.Rules{Allow: active.Rules[gate.Allow], Deny: active.Rules[gate.Deny]}, nil
	}})
	return nil
}

// roles are data.verdict.callers: of each subject, the role in each tenant. The empty
// subject is nobody.
func (c *callersConfig) roles() map[string]any {
	roles := map[string]any{}
	give := func(subject, tenant, role string) {
		of, _ := roles[subject].(map[string]any)
		if of == nil {
			of = map[string]any{}
			roles[subject] = of
		}
		// Of several roles the highest has what the others have.
		if before, has := of[tenant].(string); !has || slices.Index(roleRanks, role) > slices.Index(roleRanks, before) {
			of[tenant] = role
		}
	}
	for _, role := range c.Roles {
		for _, tenant := range role.Tenants {
			give(role.Subject, tenant, role.Role)
		}
	}
	if c.Anonymous != "" {
		give("", everything, c.Anonymous)
	}
	return roles
}

// withRoles is a bundle with the roles of callers in its data.
func withRoles(b *bundle.Bundle, err error, roles map[string]any) (*bundle.Bundle, error) {
	if err != nil {
		return nil, err
	}
	with := *b
	own, _ := b.Data["verdict"].(map[string]any)
	with.Data = merged(b.Data, "verdict", merged(own, "callers", roles))
	return &with, nil
}

// merged is a copy of an object with one member in it.
func merged(object map[string]any, name string, member any) map[string]any {
	all := make(map[string]any, len(object)+1)
	for key, value := range object {
		all[key] = value
	}
	all[name] = member
	return all
}

// logCallers says who may call.
func (s *service) logCallers() {
	config := &s.config.Callers
	if !config.on() {
		s.logger.Info("callers are not asked who they are: whoever reaches the addresses may do everything; see callers in the configuration")
		return
	}
	s.logger.Info("callers are asked who they are",
		zap.Int("tokens", len(config.Tokens)), zap.Int("issuers", len(config.Issuers)), zap.Int("peers", len(config.Peers)),
		zap.Bool("certificates", config.Certificates.CA != ""), zap.String("anonymous", config.Anonymous))
}

var (
	_ grpcapi.Gate = gate.Open{}
	_ grpcapi.Gate = (*gate.Gate)(nil)
)
