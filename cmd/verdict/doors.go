package main

import (
	"context"
	"crypto/tls"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/verdictpdp/verdict/engine/caller"
	"github.com/verdictpdp/verdict/engine/server/forwardauth"
)

// maxOpening is how long a start waits for the keys of issuers.
const maxOpening = 3 * time.Second

// openDoors opens what finds out who calls, and what they may do.
func (s *service) openDoors(clock func() time.Time) error {
	ctx, cancel := context.WithTimeout(context.Background(), maxOpening)
	defer cancel()
	if err := s.openCallers(ctx, clock); err != nil {
		return err
	}
	return s.openGate(context.Background(), clock)
}

// watchDoors reads anew what they rest on, until ctx ends.
func (s *service) watchDoors(ctx context.Context) error {
	var group errgroup.Group
	if s.authorities != nil {
		group.Go(func() error { return s.authorities.watch(ctx) })
	}
	if s.issuers != nil {
		group.Go(func() error { return s.issuers.Refresh(ctx) })
	}
	if s.callerPolicies != nil {
		group.Go(func() error { return s.callerPolicies.Watch(ctx) })
	}
	return group.Wait()
}

// tlsSettings are those of the listeners. Clients are asked for their certificates, which
// are verified by who takes them: what is wrong with one is told to each call.
func (s *service) tlsSettings(protocols ...string) *tls.Config {
	settings := s.certificate.settings(protocols...)
	if s.callers.TakesCertificates() {
		settings.ClientAuth = tls.RequestClientCert
	}
	return settings
}

// proxyCredentials are where proxies show who they are, by the patterns of what they ask.
func proxyCredentials() map[string]string {
	return map[string]string{
		"/proxy/{proxy}":                  forwardauth.CallerHeader,
		"/tenants/{tenant}/proxy/{proxy}": forwardauth.CallerHeader,
	}
}

// furtherOperations are what the handlers of further patterns do.
func furtherOperations() map[string]caller.Operation {
	return map[string]caller.Operation{
		"/proxy/{proxy}":                  caller.Check,
		"/tenants/{tenant}/proxy/{proxy}": caller.Check,
		"GET /metrics":                    caller.Metrics,
	}
}
