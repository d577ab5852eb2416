package main

import (
	"maps"
	"net/http"
	"regexp"
	"slices"
	"time"

	"google.golang.org/grpc"

	"github.com/verdictpdp/verdict/api/authz"
	"github.com/verdictpdp/verdict/engine/eval"
	"github.com/verdictpdp/verdict/engine/mapping"
	"github.com/verdictpdp/verdict/engine/server/extauthz"
	"github.com/verdictpdp/verdict/engine/server/forwardauth"
)

// An extAuthzConfig is how Envoy is answered.
type extAuthzConfig struct {
	Enabled       bool              `yaml:"enabled" env:"ENABLED"`
	Tenant        string            `yaml:"tenant" env:"TENANT"`
	Hosts         map[string]string `yaml:"hosts"`
	PolicyHeaders []string          `yaml:"policy_headers" env:"POLICY_HEADERS"`
}

// A forwardAuthConfig is how proxies are answered that ask over HTTP.
type forwardAuthConfig struct {
	Enabled         bool     `yaml:"enabled" env:"ENABLED"`
	AddressHeader   string   `yaml:"address_header" env:"ADDRESS_HEADER"`
	PrincipalHeader string   `yaml:"principal_header" env:"PRINCIPAL_HEADER"`
	PolicyHeaders   []string `yaml:"policy_headers" env:"POLICY_HEADERS"`
}

var (
	headerName  = regexp.MustCompile(`^[A-Za-z0-9-]+$`)
	lowerHeader = regexp.MustCompile(`^[a-z0-9-]+$`)
)

// validateProxies refuses settings that cannot work.
func (c *config) validateProxies(refuse func(field, format string, args ...any)) {
	knows := func(tenant string) bool { _, known := c.Tenants[tenant]; return known }
	// Without tenants nothing is served at all, which is told elsewhere.
	if c.ExtAuthz.Enabled && len(c.Tenants) > 0 && !knows(c.ExtAuthz.Tenant) {
		refuse("ext_authz.tenant", "%q is none of the tenants", c.ExtAuthz.Tenant)
	}
	for _, host := range slices.Sorted(maps.Keys(c.ExtAuthz.Hosts)) {
		field := "ext_authz.hosts." + host
		if host == "" || mapping.HostName(host) != host {
			refuse(field, "is no host: expected one in small letters, without a port")
		}
		if !knows(c.ExtAuthz.Hosts[host]) {
			refuse(field, "%q is none of the tenants", c.ExtAuthz.Hosts[host])
		}
	}
	for field, names := range map[string][]string{
		"ext_authz.policy_headers": c.ExtAuthz.PolicyHeaders, "forward_auth.policy_headers": c.ForwardAuth.PolicyHeaders,
	} {
		for _, name := range names {
			if !lowerHeader.MatchString(name) {
				refuse(field, "%q is no name of a header in small letters, such as x-user", name)
			}
		}
	}
	for field, name := range map[string]string{
		"forward_auth.address_header": c.ForwardAuth.AddressHeader, "forward_auth.principal_header": c.ForwardAuth.PrincipalHeader,
	} {
		if name != "" && !headerName.MatchString(name) {
			refuse(field, "%q is no name of a header, such as X-Real-IP", name)
		}
	}
}

// proxiesAsk reports whether any proxy is answered.
func (c *config) proxiesAsk() bool { return c.ExtAuthz.Enabled || c.ForwardAuth.Enabled }

// rules are the rules that are made ready beside those of a decision.
func (c *config) rules() []string {
	if c.proxiesAsk() {
		return []string{mapping.RuleName}
	}
	return nil
}

// faults are the rules by which a policy tells what is wrong with it.
func (c *config) faults() []string {
	if c.proxiesAsk() {
		return []string{mapping.FaultsName}
	}
	return nil
}

// mapper answers proxies.
func (s *service) mapper(clock func() time.Time) *mapping.Mapper {
	return mapping.New(mapping.Options{
		Rule: func(tenant string) (eval.Rule, error) {
			active, err := s.programs.Active(tenant)
			if err != nil {
				return nil, err
			}
			return active.Rules[mapping.RuleName], nil
		},
		Decider:    s.decider(),
		Turns:      s.turns,
		Logger:     s.logger,
		Clock:      clock,
		Evaluation: time.Duration(s.config.Limits.Evaluation),
		Steps:      int64(s.config.Limits.Steps),
	})
}

// extAuthz are the services that Envoy calls.
func (s *service) extAuthz(mapper *mapping.Mapper) []func(grpc.ServiceRegistrar) {
	if !s.config.ExtAuthz.Enabled {
		return nil
	}
	return []func(grpc.ServiceRegistrar){extauthz.New(extauthz.Options{
		Answerer:      mapper,
		Tenant:        s.config.ExtAuthz.Tenant,
		Hosts:         s.config.ExtAuthz.Hosts,
		PolicyHeaders: s.config.ExtAuthz.PolicyHeaders,
	}).Register}
}

// forwardAuth is what proxies ask over HTTP, by its patterns.
func (s *service) forwardAuth(mapper *mapping.Mapper) map[string]http.Handler {
	if !s.config.ForwardAuth.Enabled {
		return nil
	}
	proxies := forwardauth.New(forwardauth.Options{
		Answerer:        mapper,
		Logger:          s.logger,
		AddressHeader:   s.config.ForwardAuth.AddressHeader,
		PrincipalHeader: s.config.ForwardAuth.PrincipalHeader,
		PolicyHeaders:   s.config.ForwardAuth.PolicyHeaders,
	})
	return map[string]http.Handler{"/proxy/{proxy}": proxies, "/tenants/{tenant}/proxy/{proxy}": proxies}
}

// defaultExtAuthz answers nobody.
func defaultExtAuthz() extAuthzConfig {
	return extAuthzConfig{Tenant: authz.DefaultTenant, Hosts: map[string]string{}, PolicyHeaders: []string{}}
}
