package caller

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/go-jose/go-jose/v4/jwt"

	"github.com/verdictpdp/verdict/api/authz"
)

// Signed tokens are read by go-jose. It asks for the algorithms that are allowed when a
// token is parsed, not when it is verified, takes the key that it is given and no
// other, whatever kid, jwk, jku or x5u the token's header has, and reads JSON without
// regard for case nor for names that come twice. (OPA's own library, jwx, has to be
// told each of these.)

// An Issuer signs tokens.
type Issuer struct {
	// Name is what its tokens have in iss.
	Name string
	// Audiences are those of which a token has to name one in aud.
	Audiences []string
	// Algorithms are those that its tokens may be signed by, of SignatureAlgorithms.
	// Without any, all are refused.
	Algorithms []string
	// SubjectClaim is the claim that names the caller, such as sub or client_id, and
	// SubjectType the type of its subject, such as service.
	SubjectClaim, SubjectType string
	// Keys are those that it signs with.
	Keys *Keys
}

// SignatureAlgorithms are the algorithms that an issuer can be allowed. None works with
// a shared secret: a server that could check such a token could make it as well.
func SignatureAlgorithms() []string {
	return []string{"RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA"}
}

const (
	// clockSkew is how far the clocks of issuers may be off.
	clockSkew = 30 * time.Second
	// maxRemembered is how many tokens are remembered to hold.
	maxRemembered = 4 << 10
)

// Issuers are those whose tokens are taken.
type Issuers struct {
	byName     map[string]Issuer
	algorithms []jose.SignatureAlgorithm
	// remembered are the last tokens that were found to hold, by what tells them apart:
	// a digest, since a token opens doors. One that falls on another's place takes it.
	// Those that do not hold are not remembered, so that nobody drives out the others.
	remembered [maxRemembered]atomic.Pointer[remembered]
}

type digest [sha256.Size]byte

type remembered struct {
	digest   digest
	identity identity
	// keys are those that the token was verified by: others may not hold it good.
	issuer string
	keys   *keySet
}

// An identity is whom a signed token names, and until when it holds.
type identity struct {
	subject authz.EntityRef
	until   time.Time
}

// NewIssuers makes Issuers, each with a name of its own.
func NewIssuers(issuers ...Issuer) *Issuers {
	i := &Issuers{byName: make(map[string]Issuer, len(issuers))}
	for _, issuer := range issuers {
		i.byName[issuer.Name] = issuer
		for _, name := range issuer.Algorithms {
			if slices.Contains(SignatureAlgorithms(), name) {
				i.algorithms = append(i.algorithms, jose.SignatureAlgorithm(name))
			}
		}
	}
	return i
}

// Refresh keeps the keys of all issuers fresh until ctx ends; then it returns nil.
func (i *Issuers) Refresh(ctx context.Context) error {
	var all sync.WaitGroup
	for _, name := range slices.Sorted(maps.Keys(i.byName)) {
		all.Go(func() { i.byName[name].Keys.refresh(ctx) })
	}
	all.Wait()
	return nil
}

// isSigned reports whether a token is of three parts, as signed ones are (RFC 7515,
// section 3.1).
func isSigned(token string) bool { return strings.Count(token, ".") == 2 }

// verify is whom a token names.
func (i *Issuers) verify(token string, now time.Time) (identity, error) {
	d := digest(sha256.Sum256([]byte(token)))
	place := &i.remembered[binary.LittleEndian.Uint64(d[:])%maxRemembered]
	if r := place.Load(); r != nil && r.digest == d && r.keys == i.byName[r.issuer].Keys.current.Load() {
		if err := r.keys.usable(now); err != nil {
			return identity{}, err
		}
		if now.After(r.identity.until) {
			return identity{}, expired(r.identity.until)
		}
		return r.identity, nil
	}
	issuer, keys, found, err := i.read(token, now)
	if err != nil {
		return identity{}, err
	}
	place.Store(&remembered{digest: d, identity: found, issuer: issuer, keys: keys})
	return found, nil
}

// read reads a token and finds out whether it is signed and meant for here.
func (i *Issuers) read(token string, now time.Time) (issuerName string, keys *keySet, found identity, err error) {
	parsed, err := jwt.ParseSigned(token, i.algorithms)
	if err != nil {
		return "", nil, identity{}, refuse("the token cannot be read, or is signed by an algorithm that is not allowed: %w", err)
	}
	var unverified struct {
		Issuer string `json:"iss"`
	}
	if err := parsed.UnsafeClaimsWithoutVerification(&unverified); err != nil {
		return "", nil, identity{}, refuse("the token has no claims that can be read: %w", err)
	}
	issuer, known := i.byName[unverified.Issuer]
	if !known {
		return "", nil, identity{}, refuse("the issuer of the token, %s, is none whose tokens are taken", authz.Quote(unverified.Issuer))
	}
	header := parsed.Headers[0]
	if !slices.Contains(issuer.Algorithms, header.Algorithm) {
		return "", nil, identity{}, refuse("the token is signed by %s, which its issuer is not allowed", authz.Quote(header.Algorithm))
	}
	keys = issuer.Keys.current.Load()
	if err := keys.usable(now); err != nil {
		return "", nil, identity{}, err
	}
	var claims jwt.Claims
	var all map[string]any
	if err := issuer.Keys.verified(parsed, keys, &claims, &all); err != nil {
		return "", nil, identity{}, err
	}
	found, err = issuer.identity(claims, all, now)
	return issuer.Name, keys, found, err
}

// verified takes the claims of a token that one of the keys has signed.
func (k *Keys) verified(parsed *jwt.JSONWebToken, keys *keySet, claims ...any) error {
	header := parsed.Headers[0]
	candidates := keys.candidates(header.KeyID, header.Algorithm)
	if len(candidates) == 0 {
		k.ask() // the issuer may have others by now
		return refuse("the token is signed with the key %s, which is none of its issuer's: try again in some seconds if it is a new one", authz.Quote(header.KeyID))
	}
	var err error
	for _, key := range candidates {
		if err = parsed.Claims(key, claims...); err == nil {
			return nil
		}
	}
	return refuse("the token is not signed by its issuer, or cannot be read: %w", err)
}

// identity is whom the claims of a verified token name.
func (i Issuer) identity(claims jwt.Claims, all map[string]any, now time.Time) (identity, error) {
	if claims.Expiry == nil {
		return identity{}, refuse("the token has no exp: it would hold for ever")
	}
	until := claims.Expiry.Time().Add(clockSkew)
	begins := func(date *jwt.NumericDate) bool { return date == nil || !now.Add(clockSkew).Before(date.Time()) }
	switch {
	case now.After(until):
		return identity{}, expired(until)
	case !begins(claims.NotBefore) || !begins(claims.IssuedAt):
		return identity{}, refuse("the token is not valid yet")
	case !slices.ContainsFunc(i.Audiences, claims.Audience.Contains):
		return identity{}, refuse("the token is meant for %s, and not for this server", audienceText(claims.Audience))
	}
	name, is := all[i.SubjectClaim].(string)
	subject := authz.EntityRef{Type: i.SubjectType, ID: name}
	if !is || subject.Validate() != nil {
		return identity{}, refuse("the token has no claim %s that names a caller", i.SubjectClaim)
	}
	return identity{subject, until}, nil
}

func expired(until time.Time) error {
	return refuse("the token has expired on %s: get another", until.UTC().Format(time.RFC3339))
}

func audienceText(audience jwt.Audience) string {
	if len(audience) == 0 {
		return "nobody"
	}
	return authz.Quote(fmt.Sprint([]string(audience)))
}
