package main

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"go.uber.org/zap"

	"github.com/verdictpdp/verdict/api/authz"
	"github.com/verdictpdp/verdict/engine/caller"
)

// A callersConfig is who may call, how they show who they are, and what they may do.
type callersConfig struct {
	Tokens       []tokenConfig      `yaml:"tokens"`
	Issuers      []issuerConfig     `yaml:"issuers"`
	Certificates certificatesConfig `yaml:"certificates" envPrefix:"CERTIFICATES_"`
	Peers        []peerConfig       `yaml:"peers"`
	Roles        []roleConfig       `yaml:"roles"`
	Anonymous    string             `yaml:"anonymous" env:"ANONYMOUS"`
	Bundle       string             `yaml:"bundle" env:"BUNDLE"`
}

// A tokenConfig is a bearer token, by its hash.
type tokenConfig struct {
	Subject string `yaml:"subject"`
	SHA256  string `yaml:"sha256"`
}

// An issuerConfig is whose signed tokens are taken.
type issuerConfig struct {
	Issuer       string   `yaml:"issuer"`
	Audiences    []string `yaml:"audiences"`
	Algorithms   []string `yaml:"algorithms"`
	Keys         string   `yaml:"keys"`
	SubjectClaim string   `yaml:"subject_claim"`
	SubjectType  string   `yaml:"subject_type"`
	Refresh      duration `yaml:"refresh"`
	Stale        duration `yaml:"stale"`
}

// A certificatesConfig is whose client certificates are taken.
type certificatesConfig struct {
	CA       string            `yaml:"ca" env:"CA"`
	Subjects map[string]string `yaml:"subjects"`
}

// A peerConfig is who the processes of a user or a group at a Unix socket are.
type peerConfig struct {
	Subject string `yaml:"subject"`
	UID     *count `yaml:"uid"`
	GID     *count `yaml:"gid"`
}

// A roleConfig is what a caller may do in some tenants.
type roleConfig struct {
	Subject string   `yaml:"subject"`
	Role    string   `yaml:"role"`
	Tenants []string `yaml:"tenants"`
}

func defaultCallers() callersConfig {
	return callersConfig{
		Tokens: []tokenConfig{}, Issuers: []issuerConfig{}, Peers: []peerConfig{}, Roles: []roleConfig{},
		Certificates: certificatesConfig{Subjects: map[string]string{}},
	}
}

// authenticates reports whether there is a way for callers to show who they are.
func (c *callersConfig) authenticates() bool {
	return len(c.Tokens) > 0 || len(c.Issuers) > 0 || c.Certificates.CA != "" || len(c.Peers) > 0
}

// on reports whether anything is said of callers. Nothing means that everyone may do
// everything.
func (c *callersConfig) on() bool { return c.authenticates() || c.Anonymous != "" || c.Bundle != "" }

// roleRanks are the roles, each of which has what those before it have.
var roleRanks = []string{"check", "write", "administer"}

// validateCallers refuses settings that cannot work, or that would do less than whoever
// wrote them may think.
func (c *config) validateCallers(refuse func(field, format string, args ...any)) {
	if _, _, err := c.Callers.read(); err != nil {
		for _, v := range authz.ViolationsOf(err) {
			refuse("callers."+v.Field, "%s", v.Description)
		}
	}
	all := &c.Callers
	switch {
	case !all.authenticates() && (len(all.Roles) > 0 || len(all.Certificates.Subjects) > 0):
		refuse("callers", "have roles or names, but no way to show who they are: add tokens, issuers, certificates or peers")
	case all.authenticates() && len(all.Roles) == 0 && all.Bundle == "":
		refuse("callers.roles", "is empty: nobody could do anything; give a role to a subject, such as {subject: service:checkout, role: check, tenants: [default]}")
	case all.Certificates.CA != "" && !c.TLS.on():
		refuse("callers.certificates.ca", "needs TLS: set tls.cert and tls.key")
	case len(all.Peers) > 0 && !isSocket(c.GRPC.Address) && !isSocket(c.HTTP.Address):
		refuse("callers.peers", "need a Unix socket, which tells who calls: set grpc.address or http.address to unix:///path")
	}
	if all.Anonymous != "" && !slices.Contains(roleRanks, all.Anonymous) {
		refuse("callers.anonymous", "%q is no role: expected one of %s, or nothing", all.Anonymous, strings.Join(roleRanks, ", "))
	}
	for i, role := range all.Roles {
		field := fmt.Sprintf("callers.roles[%d]", i)
		if !slices.Contains(roleRanks, role.Role) {
			refuse(field+".role", "%q is no role: expected one of %s", role.Role, strings.Join(roleRanks, ", "))
		}
		if _, err := authz.ParseEntityRef(role.Subject); err != nil && role.Subject != everything {
			refuse(field+".subject", "%q is none: expected type:id, such as service:checkout, or \"*\" for whoever is known", role.Subject)
		}
		if len(role.Tenants) == 0 {
			refuse(field+".tenants", "is empty: name tenants, or \"*\" for all of them and the server itself")
		}
		for _, tenant := range role.Tenants {
			if _, known := c.Tenants[tenant]; !known && tenant != everything && len(c.Tenants) > 0 {
				refuse(field+".tenants", "%q is none of the tenants", tenant)
			}
		}
	}
}

// everything stands for all subjects and for all tenants.
const everything = "*"

// read is what is configured, without what stands in files: the keys of issuers, by
// where they are, and the authorities of certificates. Its errors are of kind Invalid.
func (c *callersConfig) read() (options caller.Options, issuers []caller.Issuer, err error) {
	var errs []error
	refuse := func(field, format string, args ...any) {
		errs = append(errs, authz.InvalidField(field, format, args...))
	}
	subject := func(field, text string) authz.EntityRef {
		ref, err := authz.ParseEntityRef(text)
		if err != nil {
			refuse(field, "%q is no subject: expected type:id, such as service:checkout", text)
		}
		return ref
	}
	if len(c.Tokens) > caller.MaxTokens {
		refuse("tokens", "are %d: at most %d are allowed; let an issuer sign tokens instead", len(c.Tokens), caller.MaxTokens)
	}
	for i, token := range c.Tokens {
		field := fmt.Sprintf("tokens[%d]", i)
		known := caller.TokenHash{Subject: subject(field+".subject", token.Subject)}
		if err := known.Hash.UnmarshalText([]byte(token.SHA256)); err != nil {
			refuse(field+".sha256", "%s", err)
		} else if i := slices.IndexFunc(options.Tokens, func(other caller.TokenHash) bool { return other.Hash == known.Hash }); i >= 0 {
			refuse(field+".sha256", "is that of tokens[%d] as well: expected a token of its own", i)
		}
		options.Tokens = append(options.Tokens, known)
	}
	for i, issuer := range c.Issuers {
		field := fmt.Sprintf("issuers[%d]", i)
		if slices.ContainsFunc(c.Issuers[:i], func(other issuerConfig) bool { return other.Issuer == issuer.Issuer }) {
			refuse(field+".issuer", "%q is there twice", issuer.Issuer)
		}
		issuers = append(issuers, issuer.read(func(name, format string, args ...any) { refuse(field+"."+name, format, args...) }))
	}
	names := make(map[string]authz.EntityRef, len(c.Certificates.Subjects))
	for identity, text := range c.Certificates.Subjects {
		if identity == "" || strings.ContainsAny(identity, ":/* ") && !strings.HasPrefix(identity, "spiffe://") {
			refuse("certificates.subjects", "%q is in no certificate: expected a SPIFFE ID, such as spiffe://example/billing, or a DNS name, such as billing.example", identity)
		}
		names[identity] = subject("certificates.subjects."+identity, text)
	}
	if c.Certificates.CA != "" {
		options.Certificates = caller.NewCertificates(nil, names)
	}
	for i, peer := range c.Peers {
		field := fmt.Sprintf("peers[%d]", i)
		rule := caller.PeerRule{Subject: subject(field+".subject", peer.Subject)}
		if peer.UID == nil && peer.GID == nil {
			refuse(field, "names neither a user nor a group: set uid or gid")
		}
		rule.UID, rule.GID = idOf(field+".uid", peer.UID, refuse), idOf(field+".gid", peer.GID, refuse)
		options.Peers = append(options.Peers, rule)
	}
	options.Anonymous = c.Anonymous != ""
	return options, issuers, authz.JoinInvalid(errs)
}

func idOf(field string, number *count, refuse func(field, format string, args ...any)) *uint32 {
	if number == nil {
		return nil
	}
	id := uint32(*number)
	if int64(id) != int64(*number) {
		refuse(field, "%d is no id of a user or a group", *number)
	}
	return &id
}

// read is an issuer without its keys.
func (c *issuerConfig) read(refuse func(name, format string, args ...any)) caller.Issuer {
	if c.Issuer == "" {
		refuse("issuer", "is empty: expected what its tokens have in iss, such as https://idp.example")
	}
	if len(c.Audiences) == 0 || slices.Contains(c.Audiences, "") {
		refuse("audiences", "is empty: expected what tokens for this server have in aud")
	}
	if len(c.Algorithms) == 0 {
		refuse("algorithms", "is empty, which refuses all tokens: expected some of %s", strings.Join(caller.SignatureAlgorithms(), ", "))
	}
	for _, name := range c.Algorithms {
		if !slices.Contains(caller.SignatureAlgorithms(), name) {
			refuse("algorithms", "%q is not allowed: expected some of %s", name, strings.Join(caller.SignatureAlgorithms(), ", "))
		}
	}
	if _, err := c.keys(); err != nil {
		refuse("keys", "%s", err)
	}
	if c.Refresh < 0 || c.Stale < 0 || c.Stale > 0 && c.Stale < c.Refresh {
		refuse("refresh", "%s, and stale %s: expected durations, of which the second is the longer one", c.Refresh, c.Stale)
	}
	issuer := caller.Issuer{Name: c.Issuer, Audiences: c.Audiences, Algorithms: c.Algorithms, SubjectClaim: c.SubjectClaim, SubjectType: c.SubjectType}
	if issuer.SubjectClaim == "" {
		issuer.SubjectClaim = "sub"
	}
	if issuer.SubjectType == "" {
		issuer.SubjectType = "service"
	}
	if err := (authz.EntityRef{Type: issuer.SubjectType, ID: "any"}).Validate(); err != nil {
		refuse("subject_type", "%q is no type: expected small letters, digits and underscores, such as service", issuer.SubjectType)
	}
	return issuer
}

// keys reads the keys at an address or in a file.
func (c *issuerConfig) keys() (func(context.Context) ([]byte, error), error) {
	switch {
	case strings.Contains(c.Keys, "://"):
		return caller.KeysAt(c.Keys)
	case c.Keys == "":
		return nil, fmt.Errorf("is empty: expected the https address or the file of its keys (a JWK set)")
	}
	return caller.KeysIn(c.Keys), nil
}

// openCallers is what finds out who calls. Keys that cannot be read from an address are
// logged, and read again later; in the meantime their issuer's tokens are refused.
func (s *service) openCallers(ctx context.Context, clock func() time.Time) error {
	config := &s.config.Callers
	options, issuers, err := config.read()
	if err != nil {
		return err
	}
	options.Clock = clock
	if config.Certificates.CA != "" {
		s.authorities = &clientAuthorities{file: config.Certificates.CA, certificates: options.Certificates, logger: s.logger}
		if err := s.authorities.reload(); err != nil {
			return err
		}
	}
	for i := range issuers {
		read, err := config.Issuers[i].keys()
		if err != nil {
			return err
		}
		issuers[i].Keys = caller.NewKeys(caller.KeysOptions{
			Name: config.Issuers[i].Keys, Read: read, Logger: s.logger, Clock: clock,
			Interval: time.Duration(config.Issuers[i].Refresh), Stale: time.Duration(config.Issuers[i].Stale),
		})
		if err := issuers[i].Keys.Read(ctx); err != nil {
			s.logger.Error("the tokens of an issuer are refused until its keys can be read", zap.String("issuer", issuers[i].Name), zap.Error(err))
		}
	}
	if len(issuers) > 0 {
		options.Issuers = caller.NewIssuers(issuers...)
		s.issuers = options.Issuers
	}
	s.callers = caller.New(options)
	return nil
}
