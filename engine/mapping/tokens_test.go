package mapping

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/hmac"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"strings"
	"testing"
	"time"

	"github.com/verdictpdp/verdict/api/authz"
)

// An idp is an identity provider that signs tokens by two keys: one that is told of as
// a JSON Web Key Set, and one that is told of as PEM text.
type idp struct {
	t     *testing.T
	ec    *ecdsa.PrivateKey
	rsa   *rsa.PrivateKey
	rsaAs []byte // the public key, PEM
}

func newIDP(t *testing.T) idp {
	t.Helper()
	ec, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	public, err := x509.MarshalPKIXPublicKey(&key.PublicKey)
	if err != nil {
		t.Fatal(err)
	}
	return idp{t, ec, key, pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: public})}
}

// data is that of a bundle that takes the provider's tokens, and others as well.
func (p idp) data() string {
	point, err := p.ec.PublicKey.Bytes()
	if err != nil {
		p.t.Fatal(err)
	}
	entry := func(issuer, algorithm string, keys any) map[string]any {
		return map[string]any{"issuer": issuer, "audience": "records", "algorithm": algorithm, "keys": keys}
	}
	data, err := json.Marshal(map[string]any{"http": map[string]any{
		"routes":     []any{map[string]any{"path": "/patients/{id}", "type": "patient", "id": "{id}"}},
		"principals": map[string]any{"type": "service"},
		"anonymous":  map[string]any{"type": "user", "id": "anonymous"},
		"tokens": []any{
			entry("https://ec.example", "ES256", map[string]any{"keys": []any{map[string]any{
				"kty": "EC", "crv": "P-256", "kid": "k1",
				"x": base64.RawURLEncoding.EncodeToString(point[1:33]), "y": base64.RawURLEncoding.EncodeToString(point[33:]),
			}}}),
			entry("https://rsa.example", "RS256", string(p.rsaAs)),
		},
	}})
	if err != nil {
		p.t.Fatal(err)
	}
	return string(data)
}

// unsigned is what of a token is signed.
func unsigned(header, claims string) string {
	return base64.RawURLEncoding.EncodeToString([]byte(header)) + "." + base64.RawURLEncoding.EncodeToString([]byte(claims))
}

func signed(text string, signature []byte) string {
	return text + "." + base64.RawURLEncoding.EncodeToString(signature)
}

// es signs by a key of an elliptic curve.
func (p idp) es(key *ecdsa.PrivateKey, header, claims string) string {
	text := unsigned(header, claims)
	digest := sha256.Sum256([]byte(text))
	r, s, err := ecdsa.Sign(rand.Reader, key, digest[:])
	if err != nil {
		p.t.Fatal(err)
	}
	return signed(text, append(r.FillBytes(make([]byte, 32)), s.FillBytes(make([]byte, 32))...))
}

func (p idp) rs(header, claims string) string {
	text := unsigned(header, claims)
	digest := sha256.Sum256([]byte(text))
	signature, err := rsa.SignPKCS1v15(rand.Reader, p.rsa, crypto.SHA256, digest[:])
	if err != nil {
		p.t.Fatal(err)
	}
	return signed(text, signature)
}

// hs signs by a secret.
func hs(secret []byte, header, claims string) string {
	text := unsigned(header, claims)
	mac := hmac.New(sha256.New, secret)
	mac.Write([]byte(text))
	return signed(text, mac.Sum(nil))
}

// Whose token is good is that subject, and who sends a bad one is nobody: neither
// anonymous nor whom the certificate names.
func TestTokens(t *testing.T) {
	const (
		header = `{"alg":"ES256","kid":"k1"}`
		claims = `{"iss":"https://ec.example","aud":"records","sub":"mina","exp":1775001900}` // 5 minutes after the mapper's time
		ofRSA  = `{"iss":"https://rsa.example","aud":"records","sub":"mina","exp":1775001900}`
		nobody = ""
	)
	p := newIDP(t)
	stranger, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	claiming := func(from, to string) string {
		if !strings.Contains(claims, from) {
			t.Fatalf("the claims have no %s", from)
		}
		return p.es(p.ec, header, strings.Replace(claims, from, to, 1))
	}
	headed := func(header string) string { return p.es(p.ec, header, claims) }
	good := headed(header)
	tests := []struct{ name, authorization, subject string }{
		{"a good one", "Bearer " + good, "mina"},
		{"a good one of the other issuer", "Bearer " + p.rs(`{"alg":"RS256"}`, ofRSA), "mina"},
		{"the scheme in other letters", "bEARER " + good, "mina"},
		{"none", "", "CN=web"},
		{"another scheme", "Basic eDp5", "CN=web"},

		{"another's key", "Bearer " + p.es(stranger, header, claims), nobody},
		{"another's key that it brings along", "Bearer " + p.es(stranger, `{"alg":"ES256","jwk":{"kty":"EC"},"jku":"http://127.0.0.1:1/"}`, claims), nobody},
		{"no algorithm", "Bearer " + unsigned(`{"alg":"none"}`, claims) + ".", nobody},
		{"no algorithm and a signature", "Bearer " + headed(`{"alg":"none"}`), nobody},
		{"no algorithm in odd letters", "Bearer " + headed(`{"alg":"nOnE"}`), nobody},
		{"no algorithm's name", "Bearer " + headed(`{}`), nobody},
		{"an algorithm in small letters", "Bearer " + headed(`{"alg":"es256"}`), nobody},
		{"an algorithm that is a list", "Bearer " + headed(`{"alg":["ES256"]}`), nobody},
		{"the public key as a secret", "Bearer " + hs(p.rsaAs, `{"alg":"HS256"}`, ofRSA), nobody},
		{"the public key as a secret, by the entry's algorithm", "Bearer " + hs(p.rsaAs, `{"alg":"RS256"}`, ofRSA), nobody},
		{"the other issuer's key", "Bearer " + p.rs(`{"alg":"RS256"}`, claims), nobody},
		{"the other issuer's algorithm", "Bearer " + p.rs(`{"alg":"ES256"}`, claims), nobody},
		{"an algorithm that its entry does not have", "Bearer " + headed(`{"alg":"ES384"}`), nobody},
		{"a key that is a path", "Bearer " + p.es(stranger, `{"alg":"ES256","kid":"../../../../dev/null"}`, claims), nobody},
		{"what is critical", "Bearer " + headed(`{"alg":"ES256","crit":["exp"]}`), nobody},
		{"nothing that is critical", "Bearer " + headed(`{"alg":"ES256","crit":[]}`), nobody},
		{"the last of two algorithms", "Bearer " + p.es(stranger, `{"alg":"none","alg":"ES256"}`, claims), nobody},

		{"an end that is past", "Bearer " + claiming("1775001900", "1775001600"), nobody},
		{"an end in a second", "Bearer " + claiming("1775001900", "1775001601"), "mina"},
		{"an end with a fraction", "Bearer " + claiming("1775001900", "1775001600.5"), "mina"},
		{"an end that is a text", "Bearer " + claiming("1775001900", `"1775001900"`), nobody},
		{"an end that is true", "Bearer " + claiming("1775001900", "true"), nobody},
		{"an end that is null", "Bearer " + claiming("1775001900", "null"), nobody},
		{"an end far below", "Bearer " + claiming("1775001900", "-1e300"), nobody},
		{"an end beyond numbers", "Bearer " + claiming("1775001900", "-1e999999999"), nobody},
		{"an end beyond numbers by its digits", "Bearer " + claiming("1775001900", strings.Repeat("9", 40_000)+"e1"), nobody},
		{"another number that is close to nothing", "Bearer " + claiming(`"sub"`, `"near":[1E-00999999999],"sub"`), nobody},
		{"texts that look like such numbers", "Bearer " + claiming(`"sub"`, `"id":"\\\"1e99999","sub"`), "mina"},
		{"the largest numbers", "Bearer " + claiming(`"sub"`, `"far":1e+9999,"sub"`), "mina"},
		{"no end", "Bearer " + claiming(`,"exp":1775001900`, ""), nobody},
		{"a start to come", "Bearer " + claiming(`"exp"`, `"nbf":1775001601,"exp"`), nobody},
		{"a start that is a text", "Bearer " + claiming(`"exp"`, `"nbf":"1","exp"`), nobody},
		{"a start that is null", "Bearer " + claiming(`"exp"`, `"nbf":null,"exp"`), nobody},
		{"another audience", "Bearer " + claiming(`"records"`, `"billing"`), nobody},
		{"an audience in a list", "Bearer " + claiming(`"records"`, `["billing","records"]`), "mina"},
		{"an audience as an object's value", "Bearer " + claiming(`"records"`, `{"a":"records"}`), nobody},
		{"an audience that is null", "Bearer " + claiming(`"records"`, `null`), nobody},
		{"no audience", "Bearer " + claiming(`"aud":"records",`, ""), nobody},
		{"another issuer", "Bearer " + claiming("https://ec.example", "https://ec.example/"), nobody},
		{"an issuer in a list", "Bearer " + claiming(`"https://ec.example"`, `["https://ec.example"]`), nobody},
		{"no issuer", "Bearer " + claiming(`"iss":"https://ec.example",`, ""), nobody},
		{"a subject that is a number", "Bearer " + claiming(`"mina"`, "7"), nobody},
		{"an empty subject", "Bearer " + claiming(`"mina"`, `""`), nobody},
		{"no subject", "Bearer " + claiming(`"sub":"mina",`, ""), nobody},
		{"two subjects, of which the last counts (RFC 7519, section 4)", "Bearer " + claiming(`"sub"`, `"sub":"root","sub"`), "mina"},
		{"a subject in capitals", "Bearer " + claiming(`"sub"`, `"SUB":"root","sub"`), "mina"},

		{"claims with more behind them", "Bearer " + p.es(p.ec, header, claims+"{}"), nobody},
		{"claims that are nested without end", "Bearer " + p.es(stranger, header, strings.Repeat("[", 20_000)), nobody},
		{"a header that is nested", "Bearer " + p.es(stranger, strings.Repeat(`{"a":`, 7_000)+"1"+strings.Repeat("}", 7_000), claims), nobody},
		{"numbers beyond numbers, unsigned", "Bearer " + p.es(stranger, header, `{"iss":1e999999999,"aud":1e999999999}`), nobody},
		{"as large as headers may be", "Bearer " + p.es(stranger, header, `{"iss":"`+strings.Repeat("x", 45_000)+`"}`), nobody},
		{"a signature that is cut", "Bearer " + good[:len(good)-4], nobody},
		{"a signature without its zeros' padding", "Bearer " + good + "=", nobody},
		{"a signature of standard base64", "Bearer " + strings.NewReplacer("-", "+", "_", "/").Replace(good) + "+", nobody},
		{"no signature", "Bearer " + good[:strings.LastIndexByte(good, '.')], nobody},
		{"an empty signature", "Bearer " + good[:strings.LastIndexByte(good, '.')+1], nobody},
		{"four parts", "Bearer " + good + ".x", nobody},
		{"five parts, encrypted", "Bearer a.b.c.d.e", nobody},
		{"two", "Bearer " + good + ", Bearer " + good, nobody},
		{"another scheme behind it", "Bearer " + good + ", Basic eDp5", nobody},
		{"a second one behind another scheme", "Basic eDp5, Bearer " + good, nobody},
		{"a tab in the place of the space", "Bearer\t" + good, nobody},
		{"two spaces", "Bearer  " + good, nobody},
		{"a space behind it", "Bearer " + good + " ", nobody},
		{"a line's end behind it", "Bearer " + good + "\n", nobody},
		{"nothing", "Bearer", nobody},
		{"nothing but a space", "Bearer ", nobody},
	}
	rule := ruleOf(t, p.data(), "")
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			decided := ""
			mapper := newMapper(rule, decideFunc(func(r *authz.Request) (authz.Decision, error) {
				decided = r.Subject.ID
				return authz.Decision{Allowed: true, ID: "d1"}, nil
			}))
			mapper.Evaluation = time.Minute // of a machine that others use as well
			answer, err := mapper.Answer(t.Context(), with(func(m *Message) {
				m.Target, m.Principal = "/patients/7", "CN=web"
				if m.Headers["authorization"] = tt.authorization; tt.authorization == "" {
					delete(m.Headers, "authorization")
				}
			}))
			if err != nil {
				t.Fatal(err)
			}
			switch {
			case decided != tt.subject || answer.Allowed() != (tt.subject != nobody):
				t.Errorf("it is decided for %q with status %d, want %q", decided, answer.Status, tt.subject)
			case tt.subject == nobody && answer.Status != statusNoSubject:
				t.Errorf("status %d, want 401: %s", answer.Status, answer.Body)
			}
		})
	}
}
