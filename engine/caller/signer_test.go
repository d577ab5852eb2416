package caller

import (
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"encoding/json"
	"maps"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"
	"go.uber.org/zap"
)

// A signer is an issuer of tokens.
type signer struct {
	algorithm jose.SignatureAlgorithm
	id        string
	secret    crypto.Signer
}

func newSigner(t testing.TB, algorithm, id string) *signer {
	t.Helper()
	s := &signer{algorithm: jose.SignatureAlgorithm(algorithm), id: id}
	var err error
	switch s.algorithm {
	case jose.ES256:
		s.secret, err = ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	case jose.EdDSA:
		_, s.secret, err = ed25519.GenerateKey(rand.Reader)
	default:
		s.secret, err = rsa.GenerateKey(rand.Reader, 2048)
	}
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func (s *signer) public() jose.JSONWebKey {
	return jose.JSONWebKey{Key: s.secret.Public(), KeyID: s.id, Use: "sig"}
}

// set is the JWK set of some keys.
func set(t testing.TB, keys ...jose.JSONWebKey) []byte {
	t.Helper()
	text, err := json.Marshal(jose.JSONWebKeySet{Keys: keys})
	if err != nil {
		t.Fatal(err)
	}
	return text
}

// keysOf are keys that were read at noon.
func keysOf(t testing.TB, text []byte) *Keys {
	t.Helper()
	keys := NewKeys(KeysOptions{
		Name: "test", Logger: zap.NewNop(), Clock: atNoon,
		Read: func(context.Context) ([]byte, error) { return text, nil },
	})
	if err := keys.Read(t.Context()); err != nil {
		t.Fatal(err)
	}
	return keys
}

func (s *signer) issuer(t testing.TB) Issuer {
	t.Helper()
	return Issuer{
		Name: "https://idp.example", Audiences: []string{"verdict"}, Algorithms: []string{string(s.algorithm)},
		SubjectClaim: "sub", SubjectType: "service", Keys: keysOf(t, set(t, s.public())),
	}
}

// claims are those of a token that holds at noon, with some in the place of others.
func claims(others map[string]any) map[string]any {
	all := map[string]any{
		"iss": "https://idp.example", "aud": "verdict", "sub": "checkout",
		"iat": noon.Add(-time.Minute).Unix(), "exp": noon.Add(time.Hour).Unix(),
	}
	maps.Copy(all, others)
	maps.DeleteFunc(all, func(_ string, value any) bool { return value == nil })
	return all
}

// token is a token with some claims and headers in the place of others.
func (s *signer) token(t testing.TB, others map[string]any, headers map[jose.HeaderKey]any) string {
	t.Helper()
	payload, err := json.Marshal(claims(others))
	if err != nil {
		t.Fatal(err)
	}
	return signedBy(t, jose.SigningKey{Algorithm: s.algorithm, Key: jose.JSONWebKey{Key: s.secret, KeyID: s.id}}, payload, headers)
}

func signedBy(t testing.TB, key jose.SigningKey, payload []byte, headers map[jose.HeaderKey]any) string {
	t.Helper()
	options := &jose.SignerOptions{ExtraHeaders: headers}
	made, err := jose.NewSigner(key, options.WithType("JWT"))
	if err != nil {
		t.Fatal(err)
	}
	signed, err := made.Sign(payload)
	if err != nil {
		t.Fatal(err)
	}
	text, err := signed.CompactSerialize()
	if err != nil {
		t.Fatal(err)
	}
	return text
}
