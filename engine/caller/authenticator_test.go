package caller

import (
	"context"
	"crypto/x509"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/verdictpdp/verdict/api/authz"
)

func TestCallers(t *testing.T) {
	authority := newAuthority(t)
	shop := authority.client(t, named("shop.example"))
	expired := authority.client(t, func(c *x509.Certificate) { named("shop.example")(c); c.NotAfter = noon })
	certificates := NewCertificates(authority.pool(), nil)
	keys := newSigner(t, "ES256", "k1")
	issuers := NewIssuers(keys.issuer(t))
	signed := keys.token(t, nil, nil)
	crm, hr := NewToken(), NewToken()
	hashes := []TokenHash{{ref(t, "service:crm"), HashOf(crm)}, {ref(t, "service:hr"), HashOf(hr)}}
	uid := uint32(1000)
	at := func(p *Process) Evidence { return Evidence{Process: p, Address: "unix"} }
	app := at(&Process{UID: uid, GID: 1000, PID: 7})
	rules := []PeerRule{{UID: &uid, Subject: ref(t, "service:app")}}

	tests := []struct {
		name          string
		options       Options
		evidence      Evidence
		authorization []string
		want          string // subject and method
		wantText      string // or what is refused
	}{
		{"nobody is asked for anything", Options{}, Evidence{Address: "::1"}, nil, "nobody who is known", ""},
		{"nobody is asked, and a token is sent", Options{}, Evidence{}, []string{"Bearer x"}, "nobody who is known", ""},

		{"a token", Options{Tokens: hashes}, Evidence{}, []string{"Bearer " + crm}, "service:crm token", ""},
		{"the last token", Options{Tokens: hashes}, Evidence{}, []string{"bearer  " + hr + " "}, "service:hr token", ""},
		{"a token that is not known", Options{Tokens: hashes}, Evidence{}, []string{"Bearer " + crm + "0"}, "", "not known"},
		{"a hash in the place of a token", Options{Tokens: hashes}, Evidence{}, []string{"Bearer " + HashOf(crm).String()}, "", "not known"},
		{"a token that is not known, where nobody is let in", Options{Tokens: hashes, Anonymous: true}, Evidence{}, []string{"Bearer x"}, "", "not known"},
		{"no token", Options{Tokens: hashes}, Evidence{}, nil, "", "send a bearer token"},
		{"no token, where nobody is let in", Options{Tokens: hashes, Anonymous: true}, Evidence{}, nil, "nobody who is known", ""},
		{"another scheme", Options{Tokens: hashes, Anonymous: true}, Evidence{}, []string{"Basic " + crm}, "", "no bearer token"},
		{"nothing behind the scheme", Options{Tokens: hashes, Anonymous: true}, Evidence{}, []string{"Bearer "}, "", "no bearer token"},
		{"an empty header", Options{Tokens: hashes, Anonymous: true}, Evidence{}, []string{""}, "", "no bearer token"},
		{"two headers", Options{Tokens: hashes}, Evidence{}, []string{"Bearer " + crm, "Bearer " + hr}, "", "2 Authorization headers"},
		{"a token of the largest size", Options{Tokens: hashes}, Evidence{}, []string{"Bearer " + strings.Repeat("x", maxBearerBytes)}, "", "not known"},
		{"a larger one", Options{Tokens: hashes}, Evidence{}, []string{"Bearer " + strings.Repeat("x", maxBearerBytes+1)}, "", "at most 16384"},

		{"a signed token", Options{Issuers: issuers}, Evidence{}, []string{"Bearer " + signed}, "service:checkout jwt", ""},
		{"a signed token where none is taken", Options{Tokens: hashes}, Evidence{}, []string{"Bearer " + signed}, "", "not known"},
		{"an unsigned token beside signed ones", Options{Tokens: hashes, Issuers: issuers}, Evidence{}, []string{"Bearer " + crm}, "service:crm token", ""},

		{"a certificate", Options{Certificates: certificates}, shop, nil, "dns:shop.example mtls", ""},
		{"a certificate and a token", Options{Certificates: certificates, Tokens: hashes}, shop, []string{"Bearer " + crm}, "service:crm token", ""},
		{"a certificate and a wrong token", Options{Certificates: certificates, Tokens: hashes}, shop, []string{"Bearer x"}, "", "not known"},
		{"a certificate and a token where there are none", Options{Certificates: certificates}, shop, []string{"Bearer " + crm}, "", "not known"},
		{"a wrong certificate and a token", Options{Certificates: certificates, Tokens: hashes, Anonymous: true}, expired, []string{"Bearer " + crm}, "", "expired"},
		{"a wrong certificate, where nobody is let in", Options{Certificates: certificates, Anonymous: true}, expired, nil, "", "expired"},
		{"a certificate where none is taken", Options{Tokens: hashes, Anonymous: true}, shop, []string{"Bearer " + crm}, "", "not taken here"},
		{"no certificate", Options{Certificates: certificates}, Evidence{}, nil, "", "connect over TLS with a client certificate"},

		{"a process", Options{Peers: rules}, app, nil, "service:app peer", ""},
		{"a process and a token", Options{Peers: rules, Tokens: hashes}, app, []string{"Bearer " + crm}, "service:crm token", ""},
		{"a process and a wrong token", Options{Peers: rules, Tokens: hashes}, app, []string{"Bearer x"}, "", "not known"},
		{"a process of another user", Options{Peers: rules}, at(&Process{UID: 1001, GID: 1000}), nil, "", "Unix socket"},
		{"a process of another user with a token", Options{Peers: rules, Tokens: hashes}, at(&Process{UID: 1001}), []string{"Bearer " + crm}, "service:crm token", ""},
		{"no process", Options{Peers: rules}, Evidence{Address: "127.0.0.1"}, nil, "", "Unix socket"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			tt.options.Clock = atNoon
			got, err := New(tt.options).Connect(tt.evidence).Caller(tt.authorization...)
			if tt.wantText != "" {
				wantRefusal(t, err, tt.wantText)
				return
			}
			if text := strings.TrimSpace(got.String() + " " + string(got.Method)); err != nil || text != tt.want || got.Address != tt.evidence.Address {
				t.Errorf("caller = %+v, %v, want %s from %s", got, err, tt.want, tt.evidence.Address)
			}
		})
	}
}

// A call by a token holds for as long as both do that its caller has shown.
func TestTokenAndCertificateEndWithTheFirst(t *testing.T) {
	authority, keys := newAuthority(t), newSigner(t, "ES256", "k1")
	a := New(Options{Certificates: NewCertificates(authority.pool(), nil), Issuers: NewIssuers(keys.issuer(t)), Clock: atNoon})
	certified := authority.client(t, named("shop.example")) // for an hour
	for _, tt := range []struct {
		name     string
		evidence Evidence
		exp      time.Duration
		want     time.Duration
	}{
		{"the token", certified, 10 * time.Minute, 10*time.Minute + clockSkew},
		{"the certificate", certified, 2 * time.Hour, time.Hour},
		{"without a certificate", Evidence{}, 2 * time.Hour, 2*time.Hour + clockSkew},
	} {
		t.Run(tt.name, func(t *testing.T) {
			token := keys.token(t, map[string]any{"exp": noon.Add(tt.exp).Unix()}, nil)
			got, err := a.Connect(tt.evidence).Caller("Bearer " + token)
			if err != nil || got.Method != JWT || !got.Until.Equal(noon.Add(tt.want)) {
				t.Errorf("caller = %+v, %v, want one until %s", got, err, noon.Add(tt.want))
			}
		})
	}
}

func TestPeerRules(t *testing.T) {
	zero, ten, twenty := uint32(0), uint32(10), uint32(20)
	rules := peers{
		{UID: &ten, GID: &twenty, Subject: ref(t, "service:both")},
		{GID: &twenty, Subject: ref(t, "service:group")},
		{UID: &zero, Subject: ref(t, "service:root")},
	}
	tests := []struct {
		name     string
		uid, gid uint32
		want     string
	}{
		{"a user in a group", 10, 20, "service:both"},
		{"a group", 11, 20, "service:group"},
		{"a user", 0, 0, "service:root"},
		{"a user in another group", 10, 21, ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got, known := rules.subject(&Process{UID: tt.uid, GID: tt.gid})
			if known != (tt.want != "") || known && got.String() != tt.want {
				t.Errorf("subject = %v, %v, want %q", got, known, tt.want)
			}
		})
	}
}

// A wrapped is a connection in another.
type wrapped struct{ net.Conn }

func (w wrapped) NetConn() net.Conn { return w.Conn }

func TestProcessAtAUnixSocket(t *testing.T) {
	listener, err := net.Listen("unix", filepath.Join(t.TempDir(), "s"))
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	client, err := net.Dial("unix", listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	served, err := listener.Accept()
	if err != nil {
		t.Fatal(err)
	}
	defer served.Close()
	process := ProcessAt(wrapped{wrapped{served}})
	if process == nil || process.UID != uint32(os.Geteuid()) || process.GID != uint32(os.Getegid()) || process.PID != int32(os.Getpid()) {
		t.Errorf("process = %+v, want this one", process)
	}
	if AddressOf(served.RemoteAddr()) != "unix" {
		t.Errorf("address = %q", AddressOf(served.RemoteAddr()))
	}
	if got := ProcessAt(wrapped{&net.TCPConn{}}); got != nil {
		t.Errorf("process at a TCP connection = %+v", got)
	}
}

// An address may be one around another, as those of connections that are followed are.
type around struct{ net.Addr }

func TestAddressOf(t *testing.T) {
	for want, remote := range map[string]net.Addr{
		"":         nil,
		"unix":     around{&net.UnixAddr{Net: "unix", Name: "@"}},
		"10.0.0.7": around{&net.TCPAddr{IP: net.IPv4(10, 0, 0, 7), Port: 4711}},
		"::1":      &net.TCPAddr{IP: net.IPv6loopback, Port: 4711},
		"pipe":     around{pipeAddr{}},
	} {
		if got := AddressOf(remote); got != want {
			t.Errorf("address = %q, want %q", got, want)
		}
	}
}

type pipeAddr struct{}

func (pipeAddr) Network() string { return "pipe" }
func (pipeAddr) String() string  { return "pipe" }

func TestContext(t *testing.T) {
	if got := From(t.Context()); got != (Caller{}) {
		t.Errorf("of a context without: %+v", got)
	}
	type key struct{}
	want := Caller{Subject: ref(t, "service:crm"), Method: Token, Address: "10.0.0.7"}
	ctx := NewContext(context.WithValue(t.Context(), key{}, 1), want)
	ctx, cancel := context.WithCancel(ctx)
	if got := From(ctx); got != want || ctx.Value(key{}) != 1 {
		t.Errorf("caller = %+v, and %v before it", got, ctx.Value(key{}))
	}
	if got := want.Author(); got != (authz.Author{Subject: want.Subject, Method: "token", Address: "10.0.0.7"}) {
		t.Errorf("author = %+v", got)
	}
	cancel()
	if ctx.Err() == nil {
		t.Error("the context does not end")
	}
}

func TestHashes(t *testing.T) {
	token := NewToken()
	var read Hash
	if err := read.UnmarshalText([]byte(HashOf(token).String())); err != nil || read != HashOf(token) {
		t.Errorf("hash = %v, %v", read, err)
	}
	for _, text := range []string{"", "xyz", HashOf(token).String()[2:], HashOf(token).String() + "00", token} {
		if err := read.UnmarshalText([]byte(text)); err == nil {
			t.Errorf("%q is taken for a hash", text)
		}
	}
	if NewToken() == token || isSigned(token) {
		t.Errorf("tokens are %s", token)
	}
}

// BenchmarkCaller is what it costs to know who makes a call.
func BenchmarkCaller(b *testing.B) {
	authority := newAuthority(b)
	keys := newSigner(b, "ES256", "k1")
	token := NewToken()
	hashes := make([]TokenHash, 10)
	hashes[9] = TokenHash{ref(b, "service:crm"), HashOf(token)}
	a := New(Options{
		Certificates: NewCertificates(authority.pool(), nil), Tokens: hashes, Issuers: NewIssuers(keys.issuer(b)), Clock: atNoon,
	})
	for _, bb := range []struct {
		name          string
		evidence      Evidence
		authorization []string
	}{
		{"certificate", authority.client(b, named("shop.example")), nil},
		{"token", Evidence{}, []string{"Bearer " + token}},
		{"signed", Evidence{}, []string{"Bearer " + keys.token(b, nil, nil)}},
	} {
		b.Run(bb.name, func(b *testing.B) {
			c := a.Connect(bb.evidence)
			b.ReportAllocs()
			for b.Loop() {
				got, err := c.Caller(bb.authorization...)
				if err != nil {
					b.Fatal(err)
				}
				NewContext(b.Context(), got)
			}
		})
	}
}
