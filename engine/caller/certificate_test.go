package caller

import (
	"crypto/x509"
	"math/big"
	"strings"
	"testing"
	"time"

	"github.com/verdictpdp/verdict/api/authz"
)

func TestCertificates(t *testing.T) {
	trusted, stranger := newAuthority(t), newAuthority(t)
	subjects := map[string]authz.EntityRef{
		"spiffe://example/hr": ref(t, "service:hr-sync"), "shop.example": ref(t, "service:shop"), "crm.example": ref(t, "service:crm"),
	}
	tests := []struct {
		name     string
		signer   *authority
		change   func(*x509.Certificate)
		want     string // the subject
		wantText string // or what is refused
	}{
		{"a SPIFFE ID", trusted, withURIs("spiffe://example/checkout"), "spiffe://example/checkout", ""},
		{"a SPIFFE ID that stands for another", trusted, withURIs("spiffe://example/hr"), "service:hr-sync", ""},
		{"a SPIFFE ID before a DNS name", trusted, func(c *x509.Certificate) {
			withURIs("spiffe://example/checkout")(c)
			named("shop.example")(c)
		}, "spiffe://example/checkout", ""},
		{"a DNS name", trusted, named("checkout.example"), "dns:checkout.example", ""},
		{"a DNS name that stands for another", trusted, named("shop.example"), "service:shop", ""},
		{"of several DNS names the one that is configured", trusted, named("a.example", "shop.example"), "service:shop", ""},
		{"another URI besides", trusted, func(c *x509.Certificate) {
			withURIs("https://shop.example/")(c)
			named("shop.example")(c)
		}, "service:shop", ""},

		{"an authority that is not trusted", stranger, named("shop.example"), "", "unknown authority"},
		{"expired", trusted, func(c *x509.Certificate) { named("shop.example")(c); c.NotAfter = noon.Add(-time.Second) }, "", "expired"},
		{"not valid yet", trusted, func(c *x509.Certificate) { named("shop.example")(c); c.NotBefore = noon.Add(time.Minute) }, "", "not yet valid"},
		{"of a server", trusted, func(c *x509.Certificate) {
			named("shop.example")(c)
			c.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}
		}, "", "incompatible key usage"},
		{"two SPIFFE IDs", trusted, withURIs("spiffe://example/hr", "spiffe://example/admin"), "", "stands alone"},
		{"a SPIFFE ID with a query", trusted, withURIs("spiffe://example/hr?x"), "", "is none"},
		{"a SPIFFE ID with a port", trusted, withURIs("spiffe://example:8443/hr"), "", "is none"},
		{"a SPIFFE ID with a user", trusted, withURIs("spiffe://admin@example/hr"), "", "is none"},
		{"a SPIFFE ID with a fragment", trusted, withURIs("spiffe://example/hr#x"), "", "is none"},
		{"a SPIFFE ID without a trust domain", trusted, withURIs("spiffe:///hr"), "", "is none"},
		{"a wildcard", trusted, named("*.example"), "", "the name of one client"},
		{"two names of two", trusted, named("shop.example", "crm.example"), "", "names both"},
		{"several names that are not configured", trusted, named("a.example", "b.example"), "", "callers.certificates.subjects"},
		{"no name", trusted, func(c *x509.Certificate) { c.Subject.CommonName = "shop.example" }, "", "names nobody"},
		{"a name that is too long", trusted, withURIs("spiffe://example/" + strings.Repeat("x", 600)), "", "names nobody"},
	}
	a := New(Options{Certificates: NewCertificates(trusted.pool(), subjects), Anonymous: true, Clock: atNoon})
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got, err := a.Connect(tt.signer.client(t, tt.change)).Caller()
			if tt.wantText != "" {
				wantRefusal(t, err, tt.wantText)
				return
			}
			if err != nil || got.Subject.String() != tt.want || got.Method != MTLS || got.Address != "10.0.0.7" {
				t.Errorf("caller = %+v, %v, want %s", got, err, tt.want)
			}
		})
	}
}

// wantRefusal holds that an error is a refusal for a reason.
func wantRefusal(t testing.TB, err error, text string) {
	t.Helper()
	if authz.KindOf(err) != authz.Unauthenticated || !strings.Contains(err.Error(), text) {
		t.Errorf("error = %v, want one of kind unauthenticated with %q", err, text)
	}
}

// A certificate holds for as long as those above it do, which the client sends as well.
func TestCertificateEndsWithTheOneAbove(t *testing.T) {
	trusted := newAuthority(t)
	above := *trusted.certificate
	above.SerialNumber, above.Subject.CommonName, above.NotAfter = big.NewInt(3), "issuing", noon.Add(time.Minute)
	issuing := &authority{}
	issuing.certificate, issuing.key = trusted.sign(t, &above)
	evidence := issuing.client(t, named("shop.example")) // for an hour
	a := New(Options{Certificates: NewCertificates(trusted.pool(), nil), Clock: atNoon})
	_, err := a.Connect(evidence).Caller()
	wantRefusal(t, err, "unknown authority")
	evidence.TLS.PeerCertificates = append(evidence.TLS.PeerCertificates, issuing.certificate)
	if got, err := a.Connect(evidence).Caller(); err != nil || !got.Until.Equal(above.NotAfter) {
		t.Errorf("caller = %+v, %v, want one until %s", got, err, above.NotAfter)
	}
}

// A connection lives longer than what was true when it was made.
func TestAConnectionIsLookedAtAgain(t *testing.T) {
	trusted := newAuthority(t)
	now := noon
	certificates := NewCertificates(trusted.pool(), nil)
	a := New(Options{Certificates: certificates, Clock: func() time.Time { return now }})
	c := a.Connect(trusted.client(t, named("shop.example")))
	if got, err := c.Caller(); err != nil || !got.Until.Equal(noon.Add(time.Hour)) {
		t.Fatalf("caller = %+v, %v, want one until its certificate ends", got, err)
	}
	t.Run("by a token of a connection whose certificate has ended", func(t *testing.T) {
		now = noon.Add(time.Hour)
		_, err := c.Caller("Bearer x")
		wantRefusal(t, err, "expired")
		now = noon
	})
	t.Run("when its authority is no longer trusted", func(t *testing.T) {
		certificates.Trust(newAuthority(t).pool())
		_, err := c.Caller()
		wantRefusal(t, err, "unknown authority")
		certificates.Trust(trusted.pool())
		if _, err := c.Caller(); err != nil {
			t.Errorf("trusted again: %v", err)
		}
	})
	t.Run("when it was made while the clock was wrong", func(t *testing.T) {
		for _, wrong := range []time.Duration{24 * time.Hour, -24 * time.Hour} {
			now = noon.Add(wrong)
			c := a.Connect(trusted.client(t, named("shop.example")))
			if _, err := c.Caller(); err == nil {
				t.Errorf("%s away from when the certificate holds there is a caller", wrong)
			}
			now = noon
			if _, err := c.Caller(); err != nil {
				t.Errorf("once the clock is right again: %v", err)
			}
		}
	})
	t.Run("what is refused, not with each call", func(t *testing.T) {
		c := a.Connect(newAuthority(t).client(t, named("shop.example")))
		before := c.found.Load()
		now = noon.Add(refusedFor - 1)
		if _, err := c.Caller(); err == nil || c.found.Load() != before {
			t.Errorf("it was looked at again: %v", err)
		}
		now = noon.Add(refusedFor)
		if _, err := c.Caller(); err == nil || c.found.Load() == before {
			t.Errorf("it was not looked at again: %v", err)
		}
		now = noon
	})
	t.Run("when its certificate ends", func(t *testing.T) {
		now = noon.Add(time.Hour)
		_, err := c.Caller()
		wantRefusal(t, err, "expired on 2026-01-15T13:00:00Z")
	})
}
