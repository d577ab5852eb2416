package closure

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/pem"
	"slices"
	"strings"
	"testing"

	gocmp "github.com/google/go-cmp/cmp"

	"github.com/verdictpdp/verdict/api/authz"
	"github.com/verdictpdp/verdict/engine/eval"
	"github.com/verdictpdp/verdict/engine/eval/evaltest"
	"github.com/verdictpdp/verdict/engine/eval/topdown"
)

// A token that is good stays good, and whatever differs from it in anything is found
// out anew: another token, other keys, another algorithm.
func TestSignaturesAreRemembered(t *testing.T) {
	ec, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	rs, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	ecKey, rsKey := publicKey(t, ec.Public()), publicKey(t, rs.Public())
	signedEC, signedRS := signed(t, ec, "ES256"), signed(t, rs, "RS256")
	forged := signedRS[:strings.LastIndexByte(signedRS, '.')+1] + strings.Repeat("A", 342)
	c := evaltest.Case{Rego: `
allow if io.jwt.verify_es256(input.context.token, input.context.keys)
reasons contains "rs256" if io.jwt.verify_rs256(input.context.token, input.context.keys)
reasons contains "rs384" if io.jwt.verify_rs384(input.context.token, input.context.keys)
`}
	program, reference := c.Prepare(t, New()), c.Prepare(t, topdown.New())
	tests := []struct {
		name        string
		token, keys any
		want        []string // what it is found to be signed by
	}{
		{"by an elliptic curve", signedEC, ecKey, []string{"es256"}},
		{"by RSA", signedRS, rsKey, []string{"rs256"}},
		{"a good token with another's keys", signedEC, rsKey, nil},
		{"the other good one with the first one's keys", signedRS, ecKey, nil},
		{"a forged signature", forged, rsKey, nil},
		{"no token", "a.b", rsKey, nil},
		{"no text", 7, rsKey, nil},
		{"no keys", signedRS, "", nil},
	}
	for range 3 { // the second time, what was found out in the first is known
		for _, tt := range tests {
			c.Request = sends(authz.Object{"token": tt.token, "keys": tt.keys})
			want, wantErr := reference.Eval(t.Context(), c.Input(t))
			got, err := program.Eval(t.Context(), c.Input(t))
			if diff := gocmp.Diff(want, got); diff != "" || authz.KindOf(err) != authz.KindOf(wantErr) || (err == nil) != (wantErr == nil) {
				t.Errorf("%s: error %v, of the reference %v, difference (-want +got):\n%s", tt.name, err, wantErr, diff)
			}
			if found := signedBy(got); err == nil && !slices.Equal(found, tt.want) {
				t.Errorf("%s: signed by %v, want %v", tt.name, found, tt.want)
			}
		}
	}
	if kept := kept(program); kept != 2 {
		t.Errorf("%d calls are remembered, want those two that found a good token", kept)
	}
}

func signedBy(out eval.Output) []string {
	if out.Allow {
		return append([]string{"es256"}, out.Reasons...)
	}
	return out.Reasons
}

// kept is how many signatures a program remembers.
func kept(of eval.Program) (count int) {
	places := of.(*program).executable.signatures.made.Load()
	for i := range places {
		if places[i].Load() != nil {
			count++
		}
	}
	return count
}

func publicKey(t *testing.T, key crypto.PublicKey) string {
	t.Helper()
	der, err := x509.MarshalPKIXPublicKey(key)
	if err != nil {
		t.Fatal(err)
	}
	return string(pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der}))
}

// signed is a token that a key has signed.
func signed(t *testing.T, key crypto.Signer, algorithm string) string {
	t.Helper()
	encode := base64.RawURLEncoding.EncodeToString
	text := encode([]byte(`{"alg":"`+algorithm+`"}`)) + "." + encode([]byte(`{"sub":"mina"}`))
	digest := sha256.Sum256([]byte(text))
	if ec, is := key.(*ecdsa.PrivateKey); is {
		r, s, err := ecdsa.Sign(rand.Reader, ec, digest[:])
		if err != nil {
			t.Fatal(err)
		}
		signature := make([]byte, 64)
		r.FillBytes(signature[:32])
		s.FillBytes(signature[32:])
		return text + "." + encode(signature)
	}
	signature, err := key.Sign(rand.Reader, digest[:], crypto.SHA256)
	if err != nil {
		t.Fatal(err)
	}
	return text + "." + encode(signature)
}
