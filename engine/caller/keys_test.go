package caller

import (
	"context"
	"crypto/rand"
	"crypto/rsa"
	"encoding/json"
	"errors"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/go-jose/go-jose/v4"
	"go.uber.org/zap"

	"github.com/verdictpdp/verdict/api/authz"
)

func TestParseKeys(t *testing.T) {
	good := newSigner(t, "ES256", "k1").public()
	encryption := newSigner(t, "RS256", "k2").public()
	encryption.Use = "enc"
	weak, err := rsa.GenerateKey(rand.Reader, 1024)
	if err != nil {
		t.Fatal(err)
	}
	many := make([]jose.JSONWebKey, maxKeys+1)
	for i := range many {
		many[i] = good
	}
	secret := newSigner(t, "ES256", "k3")
	text, err := json.Marshal(good)
	if err != nil {
		t.Fatal(err)
	}
	tests := []struct {
		name string
		text []byte
		want string // why it is refused
	}{
		{"one key", set(t, good), ""},
		{"a key for something else besides", set(t, encryption, good), ""},
		{"a key of a kind that is not known besides", []byte(`{"keys":[{"kty":"LATTICE"},` + string(text) + `]}`), ""},
		{"a key on a curve that is not known besides", []byte(`{"keys":[{"kty":"EC","crv":"secp256k1","x":"AA","y":"AA"},` + string(text) + `]}`), ""},
		{"only one to agree on keys by", []byte(`{"keys":[` + strings.Replace(string(text), "{", `{"key_ops":["deriveKey"],`, 1) + `]}`), "no key for signatures"},
		{"one to verify by", []byte(`{"keys":[` + strings.Replace(string(text), "{", `{"key_ops":["verify"],`, 1) + `]}`), ""},
		{"as many as may be", set(t, many[1:]...), ""},
		{"more", set(t, many...), "at most 100"},
		{"none", set(t), "no key for signatures"},
		{"only one for something else", set(t, encryption), "no key for signatures"},
		{"a shared secret", set(t, jose.JSONWebKey{Key: []byte("secret"), KeyID: "k1"}), "is a secret one"},
		{"a private key", set(t, jose.JSONWebKey{Key: secret.secret, KeyID: "k3"}), "is a secret one"},
		{"a weak key", set(t, jose.JSONWebKey{Key: weak.Public(), KeyID: "k1"}), "expected at least 2048"},
		{"a point off the curve", []byte(strings.Replace(string(set(t, good)), `"x":"`, `"x":"AA`, 1)), "key 0"},
		{"no JSON", []byte("<html>"), "no JWK set"},
		{"too large", []byte(`{"keys":[]}` + strings.Repeat(" ", MaxKeysBytes)), "more than 1048576 bytes"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			_, err := parseKeys(tt.text)
			if tt.want == "" && err != nil || tt.want != "" && (err == nil || !strings.Contains(err.Error(), tt.want)) {
				t.Errorf("error = %v, want %q", err, tt.want)
			}
		})
	}
}

func FuzzParseKeys(f *testing.F) {
	f.Add(set(f, newSigner(f, "ES256", "k1").public(), newSigner(f, "EdDSA", "k2").public()))
	f.Add([]byte(`{"keys":[{"kty":"oct","k":"AA"}]}`))
	f.Fuzz(func(t *testing.T, text []byte) {
		keys, err := parseKeys(text)
		if err == nil && len(keys) == 0 {
			t.Error("a set without keys is taken")
		}
		for _, key := range keys {
			if !key.IsPublic() {
				t.Errorf("a secret key is taken: %v", key)
			}
		}
	})
}

func TestKeysAt(t *testing.T) {
	for address, sound := range map[string]bool{
		"https://idp.example/keys": true, "http://127.0.0.1:1/keys": true, "http://[::1]:1/keys": true, "http://localhost/keys": true,
		"http://idp.example/keys": false, "http://127.0.0.1.example/keys": false, "file:///etc/passwd": false, "keys.json": false,
		"https://user:password@idp.example/keys": false, "https://": false, "": false,
	} {
		if _, err := KeysAt(address); (err == nil) != sound {
			t.Errorf("%q: %v", address, err)
		}
	}
	answer := set(t, newSigner(t, "ES256", "k1").public())
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/keys":
			w.Write(answer)
		case "/moved":
			http.Redirect(w, r, "/keys", http.StatusFound)
		case "/endless":
			for r.Context().Err() == nil {
				if _, err := w.Write(make([]byte, 64<<10)); err != nil {
					return
				}
			}
		default:
			http.NotFound(w, r)
		}
	}))
	defer server.Close()
	for path, want := range map[string]string{"/keys": "", "/moved": "redirects are not followed", "/else": "404", "/endless": "more than 1048576 bytes"} {
		t.Run(path, func(t *testing.T) {
			read, err := KeysAt(server.URL + path)
			if err != nil {
				t.Fatal(err)
			}
			err = NewKeys(KeysOptions{Name: path, Read: read, Logger: zap.NewNop()}).Read(t.Context())
			if want == "" && err != nil || want != "" && (err == nil || !strings.Contains(err.Error(), want)) {
				t.Errorf("error = %v, want %q", err, want)
			}
		})
	}
}

func TestKeysInAFile(t *testing.T) {
	file := filepath.Join(t.TempDir(), "keys.json")
	keys := NewKeys(KeysOptions{Name: file, Read: KeysIn(file), Logger: zap.NewNop()})
	if err := keys.Read(t.Context()); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("a file that is not there: %v", err)
	}
	if err := os.WriteFile(file, set(t, newSigner(t, "ES256", "k1").public()), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := keys.Read(t.Context()); err != nil {
		t.Error(err)
	}
}

// Keys are read again by themselves, and those before stay where that fails.
func TestKeysAreRefreshed(t *testing.T) {
	first, second := newSigner(t, "ES256", "k1"), newSigner(t, "ES256", "k2")
	var answer atomic.Pointer[[]byte]
	put := func(text []byte) { answer.Store(&text) }
	put(set(t, first.public()))
	var reads atomic.Int64
	keys := NewKeys(KeysOptions{
		Name: "test", Logger: zap.NewNop(), Interval: time.Millisecond, Stale: 1000 * time.Hour,
		Read: func(context.Context) ([]byte, error) { reads.Add(1); return *answer.Load(), nil },
	})
	issuer := first.issuer(t)
	issuer.Keys = keys
	issuers := NewIssuers(issuer)
	c := New(Options{Issuers: issuers, Clock: atNoon}).Connect(Evidence{})
	of := func(s *signer) error { _, err := c.Caller("Bearer " + s.token(t, nil, nil)); return err }
	wantRefusal(t, of(first), "could not be read yet")

	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- issuers.Refresh(ctx) }()
	await(t, func() bool { return of(first) == nil })
	put([]byte("broken"))
	for before := reads.Load(); reads.Load() < before+3; {
		time.Sleep(time.Millisecond)
	}
	if err := of(first); err != nil {
		t.Errorf("while the keys cannot be read: %v", err)
	}
	put(set(t, second.public()))
	await(t, func() bool { return of(second) == nil })
	if err := of(first); authz.KindOf(err) != authz.Unauthenticated {
		t.Errorf("a key that is gone: %v", err)
	}
	cancel()
	if err := <-ended; err != nil {
		t.Error(err)
	}
}

// Keys that cannot be read anew are good for as long as they may be stale, and no longer,
// however often they are tried.
func TestKeysGetTooOld(t *testing.T) {
	signer := newSigner(t, "ES256", "k1")
	text, away := set(t, signer.public()), false
	now := noon
	clock := func() time.Time { return now }
	keys := NewKeys(KeysOptions{
		Name: "test", Logger: zap.NewNop(), Stale: time.Hour, Clock: clock,
		Read: func(context.Context) ([]byte, error) {
			if away {
				return nil, errors.New("the address is away")
			}
			return text, nil
		},
	})
	issuer := signer.issuer(t)
	issuer.Keys = keys
	c := New(Options{Issuers: NewIssuers(issuer), Clock: clock}).Connect(Evidence{})
	take := func(token string) error { _, err := c.Caller("Bearer " + token); return err }
	valid := func(jti string) string {
		return signer.token(t, map[string]any{"jti": jti, "exp": noon.Add(24 * time.Hour).Unix()}, nil)
	}
	read := func(works bool) {
		t.Helper()
		away = !works
		if err := keys.Read(t.Context()); (err == nil) != works {
			t.Fatal(err)
		}
	}
	read(true)
	remembered := valid("before")
	for ; !now.After(noon.Add(time.Hour)); now = now.Add(10 * time.Minute) {
		if err := errors.Join(take(remembered), take(valid(now.String()))); err != nil {
			t.Errorf("%s after the keys were read: %v", now.Sub(noon), err)
		}
		read(false)
	}
	now = noon.Add(time.Hour + 1)
	wantRefusal(t, take(remembered), "could not be read since long")
	wantRefusal(t, take(valid("later")), "could not be read since long")
	read(true)
	if err := take(remembered); err != nil {
		t.Errorf("once the keys were read again: %v", err)
	}
}

// The keys are read soon once a token names one that is not there, and for no other token.
func TestAKeyThatIsNotKnownIsAskedFor(t *testing.T) {
	signer, next := newSigner(t, "ES256", "k1"), newSigner(t, "ES256", "k2")
	issuer := signer.issuer(t)
	c := New(Options{Issuers: NewIssuers(issuer), Clock: atNoon}).Connect(Evidence{})
	if _, err := c.Caller("Bearer " + signer.token(t, nil, nil)); err != nil || len(issuer.Keys.asked) != 0 {
		t.Errorf("by a key that is known: %v, and the keys are asked for %d times", err, len(issuer.Keys.asked))
	}
	for range 2 {
		_, err := c.Caller("Bearer " + next.token(t, nil, nil))
		wantRefusal(t, err, "none of its issuer's")
	}
	if len(issuer.Keys.asked) != 1 {
		t.Errorf("by one that is not: the keys are asked for %d times", len(issuer.Keys.asked))
	}
}

// However often they are asked for, the keys are not read more than once in betweenAsks.
func TestKeysAreNotReadAtEachAsk(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		keys := NewKeys(KeysOptions{Name: "test", Logger: zap.NewNop()})
		start := time.Now()
		for range 3 {
			keys.ask()
			keys.wait(t.Context(), time.Hour)
		}
		if took := time.Since(start); took != 3*betweenAsks {
			t.Errorf("they are read three times in %v, want %v", took, 3*betweenAsks)
		}
	})
}

// Keys that could not be read are tried again soon, from the start on.
func TestPausesBetweenReadings(t *testing.T) {
	text := set(t, newSigner(t, "ES256", "k1").public())
	keys := NewKeys(KeysOptions{Name: "test", Logger: zap.NewNop(), Read: func(context.Context) ([]byte, error) { return text, nil }})
	if got := keys.pause(false); got != minLeftAlone {
		t.Errorf("before they were read: %v, want %v", got, minLeftAlone)
	}
	if err := keys.Read(t.Context()); err != nil {
		t.Fatal(err)
	}
	if got := keys.pause(false); got != DefaultKeysInterval {
		t.Errorf("once they were read: %v, want %v", got, DefaultKeysInterval)
	}
	if got := keys.pause(true); got != minLeftAlone {
		t.Errorf("when they could not be read: %v, want %v", got, minLeftAlone)
	}
}

func await(t *testing.T, holds func() bool) {
	t.Helper()
	for end := time.Now().Add(time.Minute); !holds(); time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			t.Fatal("it does not come")
		}
	}
}
