package caller

import (
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"
)

func TestSignedTokens(t *testing.T) {
	signer, other := newSigner(t, "RS256", "k1"), newSigner(t, "RS256", "k2")
	curve, edwards := newSigner(t, "ES256", "k1"), newSigner(t, "EdDSA", "k3")
	stronger := newSigner(t, "RS256", "k4") // whose key says that it is for RS512
	der, err := x509.MarshalPKIXPublicKey(signer.secret.Public())
	if err != nil {
		t.Fatal(err)
	}
	publicPEM := pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der})
	payload, err := json.Marshal(claims(nil))
	if err != nil {
		t.Fatal(err)
	}
	encode := base64.RawURLEncoding.EncodeToString
	unsigned := func(header string) string { return encode([]byte(header)) + "." + encode(payload) + "." }
	good := signer.token(t, nil, nil)
	parts := strings.Split(good, ".")
	in := func(d time.Duration) int64 { return noon.Add(d).Unix() }
	impostor := &signerWithID{other, "k1"}

	tests := []struct {
		name, token string
		want        string // the subject
		wantText    string // or what is refused
	}{
		{"one that holds", good, "service:checkout", ""},
		{"one of several audiences", signer.token(t, map[string]any{"aud": []string{"else", "verdict"}}, nil), "service:checkout", ""},
		{"without a key's id", (&signerWithID{signer, ""}).token(t), "service:checkout", ""},
		{"expired within what clocks are off", signer.token(t, map[string]any{"exp": in(-29 * time.Second)}, nil), "service:checkout", ""},
		{"issued within what clocks are off", signer.token(t, map[string]any{"iat": in(29 * time.Second)}, nil), "service:checkout", ""},
		{"by another of the issuer's algorithms", edwards.token(t, nil, nil), "service:checkout", ""},

		{"not signed", unsigned(`{"alg":"none"}`), "", "cannot be read"},
		{"not signed, in other letters", unsigned(`{"alg":"None"}`), "", "cannot be read"},
		{"not signed, with a signature", unsigned(`{"alg":"none"}`) + parts[2], "", "cannot be read"},
		{"signed with the public key as a secret", signedBy(t, jose.SigningKey{Algorithm: jose.HS256, Key: publicPEM}, payload, nil), "", "cannot be read"},
		{"signed with the public key's DER as a secret", signedBy(t, jose.SigningKey{Algorithm: jose.HS256, Key: der}, payload, nil), "", "cannot be read"},
		{"an algorithm that is not allowed", curve.token(t, nil, nil), "", "cannot be read"},
		{"the algorithm of another issuer", edwards.token(t, map[string]any{"iss": "https://strict.example"}, nil), "", "which its issuer is not allowed"},
		{"an issuer that is allowed no algorithm", signer.token(t, map[string]any{"iss": "https://none.example"}, nil), "", "which its issuer is not allowed"},
		{"an issuer whose tokens are for nobody", signer.token(t, map[string]any{"iss": "https://nobody.example"}, nil), "", "not for this server"},
		{"an issuer whose tokens are for nobody, without an audience", signer.token(t, map[string]any{"iss": "https://nobody.example", "aud": nil}, nil), "", "meant for nobody"},
		{"an algorithm that its key is not for", stronger.token(t, nil, nil), "", "none of its issuer's"},
		{"another's key", other.token(t, nil, nil), "", "none of its issuer's"},
		{"another's key under the id of the issuer's", impostor.token(t), "", "not signed by its issuer"},
		{"another's key, which the token brings", signedBy(t, jose.SigningKey{Algorithm: jose.RS256, Key: other.secret}, payload,
			map[jose.HeaderKey]any{"jwk": other.public()}), "", "not signed by its issuer"},
		{"an address of keys", impostor.token(t, "jku", "https://evil.example/keys"), "", "not signed by its issuer"},
		{"an address of certificates", impostor.token(t, "x5u", "https://evil.example/cert"), "", "not signed by its issuer"},
		{"a path as a key's id", (&signerWithID{other, "../../dev/null"}).token(t), "", "none of its issuer's"},
		{"a key's id that is a query", (&signerWithID{other, "k1' OR '1'='1"}).token(t), "", "none of its issuer's"},
		{"an extension that is critical", impostorCritical(t, signer, payload), "", "not signed by its issuer"},
		{"another payload", parts[0] + "." + encode([]byte(strings.Replace(string(payload), "checkout", "admin", 1))) + "." + parts[2], "", "not signed by its issuer"},
		{"a signature that was cut", good[:len(good)-4], "", "not signed by its issuer"},

		{"another issuer", signer.token(t, map[string]any{"iss": "https://evil.example"}, nil), "", "is none whose tokens are taken"},
		{"no issuer", signer.token(t, map[string]any{"iss": nil}, nil), "", "is none whose tokens are taken"},
		{"an issuer in other letters", signer.token(t, map[string]any{"iss": nil, "ISS": "https://idp.example"}, nil), "", "is none whose tokens are taken"},
		{"another audience", signer.token(t, map[string]any{"aud": "else"}, nil), "", `meant for "[else]"`},
		{"no audience", signer.token(t, map[string]any{"aud": nil}, nil), "", "meant for nobody"},
		{"expired", signer.token(t, map[string]any{"exp": in(-31 * time.Second)}, nil), "", "has expired"},
		{"for ever", signer.token(t, map[string]any{"exp": nil}, nil), "", "no exp"},
		{"not yet", signer.token(t, map[string]any{"nbf": in(time.Minute)}, nil), "", "not valid yet"},
		{"issued in the future", signer.token(t, map[string]any{"iat": in(time.Minute)}, nil), "", "not valid yet"},
		{"no subject", signer.token(t, map[string]any{"sub": nil}, nil), "", "no claim sub"},
		{"an empty subject", signer.token(t, map[string]any{"sub": ""}, nil), "", "no claim sub"},
		{"a subject that is no text", signer.token(t, map[string]any{"sub": []string{"admin"}}, nil), "", "or cannot be read"},
		{"a subject that is too long", signer.token(t, map[string]any{"sub": strings.Repeat("x", 513)}, nil), "", "no claim sub"},
		{"nothing", "..", "", "cannot be read"},
	}
	none := signer.issuer(t)
	none.Name, none.Algorithms = "https://none.example", nil
	nobody := signer.issuer(t)
	nobody.Name, nobody.Audiences = "https://nobody.example", nil
	mixed := signer.issuer(t)
	reserved := stronger.public()
	reserved.Algorithm = "RS512"
	mixed.Algorithms, mixed.Keys = []string{"RS256", "EdDSA"}, keysOf(t, set(t, signer.public(), edwards.public(), reserved))
	strict := Issuer{Name: "https://strict.example", Algorithms: []string{"RS512"}, Keys: mixed.Keys}
	shared := Issuer{Name: "https://shared.example", Algorithms: []string{"HS256", "none"}, Keys: mixed.Keys} // neither of which can be allowed
	issuers := NewIssuers(mixed, none, nobody, strict, shared)
	a := New(Options{Issuers: issuers, Clock: atNoon})
	t.Run("without an issuer", func(t *testing.T) {
		_, err := New(Options{Issuers: NewIssuers(), Clock: atNoon}).Connect(Evidence{}).Caller("Bearer " + good)
		wantRefusal(t, err, "cannot be read")
	})
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			for range 2 { // what is remembered is refused and taken alike
				got, err := a.Connect(Evidence{}).Caller("Bearer " + tt.token)
				if tt.wantText != "" {
					wantRefusal(t, err, tt.wantText)
					continue
				}
				if err != nil || got.Subject.String() != tt.want || got.Method != JWT || got.Until.IsZero() {
					t.Errorf("caller = %+v, %v, want %s", got, err, tt.want)
				}
			}
		})
	}
}

// A signerWithID signs under another id.
type signerWithID struct {
	*signer
	id string
}

func (s *signerWithID) token(t *testing.T, header ...string) string {
	named := *s.signer
	named.id = s.id
	headers := map[jose.HeaderKey]any{}
	for i := 0; i+1 < len(header); i += 2 {
		headers[jose.HeaderKey(header[i])] = header[i+1]
	}
	return named.token(t, nil, headers)
}

func impostorCritical(t *testing.T, s *signer, payload []byte) string {
	return signedBy(t, jose.SigningKey{Algorithm: s.algorithm, Key: s.secret}, payload, map[jose.HeaderKey]any{"crit": []string{"x"}, "x": true})
}

// What is remembered must not outlive the token, its keys, or the trust in them.
func TestRememberedTokens(t *testing.T) {
	signer := newSigner(t, "ES256", "k1")
	issuer := signer.issuer(t)
	now := noon
	a := New(Options{Issuers: NewIssuers(issuer), Clock: func() time.Time { return now }})
	c := a.Connect(Evidence{})
	token := "Bearer " + signer.token(t, nil, nil)
	take := func() error { _, err := c.Caller(token); return err }
	if err := take(); err != nil {
		t.Fatal(err)
	}
	t.Run("when it expires", func(t *testing.T) {
		now = noon.Add(time.Hour + clockSkew + time.Second)
		wantRefusal(t, take(), "has expired")
		now = noon
	})
	t.Run("when its keys are too old", func(t *testing.T) {
		longer := "Bearer " + signer.token(t, map[string]any{"exp": noon.Add(48 * time.Hour).Unix()}, nil)
		if _, err := c.Caller(longer); err != nil {
			t.Fatal(err)
		}
		now = noon.Add(DefaultKeysStale + time.Second)
		_, err := c.Caller(longer)
		wantRefusal(t, err, "since long")
		now = noon
	})
	t.Run("others that fall on its place", func(t *testing.T) {
		for i := range 10 * maxRemembered {
			if other, err := c.Caller(fmt.Sprintf("Bearer a.b.%d", i)); err == nil {
				t.Fatalf("a token that nobody has signed is taken for one of %v", other)
			}
		}
	})
	t.Run("when its key is gone", func(t *testing.T) {
		fresh := keysOf(t, set(t, newSigner(t, "ES256", "k2").public())).current.Load()
		issuer.Keys.current.Store(fresh)
		wantRefusal(t, take(), "none of its issuer's")
	})
}

// Whatever is sent, what was not signed is nobody's.
func FuzzSignedToken(f *testing.F) {
	signer := newSigner(f, "ES256", "k1")
	a := New(Options{Issuers: NewIssuers(signer.issuer(f)), Clock: atNoon})
	c := a.Connect(Evidence{})
	good := signer.token(f, nil, nil)
	f.Add(good)
	f.Add("a.b.c")
	f.Add(signer.token(f, map[string]any{"exp": nil}, nil))
	signed := good[:strings.LastIndexByte(good, '.')]
	f.Fuzz(func(t *testing.T, token string) {
		if got, err := c.Caller("Bearer " + token); err == nil && !strings.HasPrefix(strings.Trim(token, " "), signed) {
			t.Errorf("%q is taken for a token of %v", token, got)
		}
	})
}
