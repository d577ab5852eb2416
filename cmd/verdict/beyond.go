package main

import (
	"net"
	"net/netip"
	"net/url"
	"slices"
	"strings"
)

// An insecureConfig is what is let be although it is not safe.
type insecureConfig struct {
	Plaintext bool `yaml:"plaintext_beyond_loopback" env:"PLAINTEXT_BEYOND_LOOPBACK"`
	Anyone    bool `yaml:"anyone_beyond_loopback" env:"ANYONE_BEYOND_LOOPBACK"`
}

// validateReach refuses addresses that others than those on this machine can reach, where
// what is said there could be read and changed, or anyone may say it.
func (c *config) validateReach(refuse func(field, format string, args ...any)) {
	for field, address := range map[string]string{"grpc.address": c.GRPC.Address, "http.address": c.HTTP.Address} {
		if isLocal(address) || checkAddress(address) != nil {
			continue
		}
		if !c.TLS.on() && !c.Insecure.Plaintext {
			refuse(field, "%s is beyond loopback, and without TLS: set tls.cert and tls.key; or, where something else protects what goes over the network, set insecure.plaintext_beyond_loopback to true", address)
		}
		if (!c.Callers.authenticates() || c.Callers.Anonymous != "") && !c.Insecure.Anyone {
			refuse(field, "%s is beyond loopback, and callers need not show who they are: set callers.tokens, issuers or certificates with callers.roles, and no callers.anonymous; or, where something else keeps others out, set insecure.anyone_beyond_loopback to true", address)
		}
	}
	for _, host := range c.HTTP.Hosts {
		if host == "" || strings.ToLower(host) != host || strings.ContainsAny(host, "/:@ ") && !isIPv6(host) {
			refuse("http.hosts", "%q is no host: expected a name in small letters or an address, without a port", host)
		}
	}
}

func isIPv6(host string) bool {
	address, err := netip.ParseAddr(host)
	return err == nil && address.Is6()
}

// isLocal reports whether only processes on this machine can reach an address.
func isLocal(address string) bool {
	if _, isUnix := socketPath(address); isUnix {
		return true
	}
	host, _, err := net.SplitHostPort(address)
	return err == nil && isLoopbackHost(host)
}

func isLoopbackHost(host string) bool {
	if host == "localhost" {
		return true
	}
	address, err := netip.ParseAddr(host)
	return err == nil && address.IsLoopback()
}

// meantFor says under which Hosts the HTTP address is asked; nil for any. A browser on
// this machine reaches loopback for every site that it shows, under a name that the site
// has pointed there: so the name has to be known, where nothing else has to.
func (c *config) meantFor() func(host string) bool {
	address, isUnix := socketPath(c.HTTP.Address)
	switch {
	case isUnix, c.TLS.on(), !isLocal(address), c.Callers.authenticates() && c.Callers.Anonymous == "":
		return nil
	}
	known := slices.Clone(c.HTTP.Hosts)
	if public, err := url.Parse(c.HTTP.PublicURL); err == nil && public.Hostname() != "" {
		known = append(known, strings.ToLower(public.Hostname()))
	}
	return func(host string) bool {
		if host == "" { // of no browser
			return true
		}
		name := host
		if bare, _, err := net.SplitHostPort(host); err == nil {
			name = bare
		}
		name = strings.ToLower(strings.Trim(name, "[]"))
		return isLoopbackHost(name) || slices.Contains(known, name)
	}
}
