package caller

import (
	"crypto/tls"
	"crypto/x509"
	"strings"
	"sync/atomic"
	"time"

	"github.com/verdictpdp/verdict/api/authz"
)

// Certificates are those of callers: who may have signed them, and whom they name.
type Certificates struct {
	subjects map[string]authz.EntityRef
	trusted  atomic.Pointer[trust]
}

// A trust is the authorities that are trusted at a time. Another one makes another
// trust, by which connections tell that they have to be looked at again.
type trust struct{ roots *x509.CertPool }

// NewCertificates are the certificates that one of the authorities has signed. An
// identity, a SPIFFE ID or a DNS name, is the subject that stands for it. One for which
// none does is itself: spiffe://example/checkout is of the type spiffe, and a DNS name
// is of the type dns, as in dns:checkout.example. So no authority can name what a token
// or another way names, unless it is said here.
func NewCertificates(roots *x509.CertPool, subjects map[string]authz.EntityRef) *Certificates {
	c := &Certificates{subjects: subjects}
	c.Trust(roots)
	return c
}

// Trust trusts other authorities from the next call on, on connections that are there
// as well.
func (c *Certificates) Trust(roots *x509.CertPool) { c.trusted.Store(&trust{roots}) }

// caller is whose certificate a connection has shown. The handshake has proved that
// its key is at the other end; the rest is verified here.
func (c *Certificates) caller(by *trust, state *tls.ConnectionState, now time.Time) (subject authz.EntityRef, until time.Time, err error) {
	leaf := state.PeerCertificates[0]
	intermediates := x509.NewCertPool()
	for _, above := range state.PeerCertificates[1:] {
		intermediates.AddCert(above)
	}
	chains, err := leaf.Verify(x509.VerifyOptions{
		Roots: by.roots, Intermediates: intermediates, CurrentTime: now,
		KeyUsages: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth},
	})
	if err != nil {
		return subject, until, refuse("the client certificate does not hold: %w", err)
	}
	if subject, err = c.subject(leaf); err != nil {
		return subject, until, err
	}
	return subject, endOf(chains), nil
}

// endOf is when the last of the chains ends, by the certificate in it that ends first.
func endOf(chains [][]*x509.Certificate) (last time.Time) {
	for _, chain := range chains {
		end := chain[0].NotAfter
		for _, above := range chain[1:] {
			if above.NotAfter.Before(end) {
				end = above.NotAfter
			}
		}
		if end.After(last) {
			last = end
		}
	}
	return last
}

// subject is whom a certificate names. Of several names, one must be configured.
func (c *Certificates) subject(leaf *x509.Certificate) (subject authz.EntityRef, err error) {
	identities, err := identitiesOf(leaf)
	if err != nil {
		return subject, err
	}
	for _, identity := range identities {
		named, known := c.subjects[identity]
		switch {
		case !known:
		case subject != (authz.EntityRef{}) && subject != named:
			return authz.EntityRef{}, refuse("the client certificate names both %s and %s: expected one", subject, named)
		default:
			subject = named
		}
	}
	if subject != (authz.EntityRef{}) {
		return subject, nil
	}
	if len(identities) > 1 {
		return subject, refuse("the client certificate has %d DNS names, and none of them is configured: say whose it is in callers.certificates.subjects", len(identities))
	}
	typ, id := "dns", identities[0]
	if rest, isURI := strings.CutPrefix(id, "spiffe:"); isURI {
		typ, id = "spiffe", rest
	}
	subject = authz.EntityRef{Type: typ, ID: id}
	if err := subject.Validate(); err != nil {
		return authz.EntityRef{}, refuse("the client certificate names nobody: %w", err)
	}
	return subject, nil
}

// identitiesOf is the SPIFFE ID of a certificate, of which it has one and no other URI
// (SPIFFE, X.509-SVID, section 2), or else its DNS names.
func identitiesOf(leaf *x509.Certificate) ([]string, error) {
	for _, uri := range leaf.URIs {
		if uri.Scheme != "spiffe" {
			continue
		}
		switch {
		case len(leaf.URIs) > 1:
			return nil, refuse("the client certificate has %d URIs: a SPIFFE ID stands alone", len(leaf.URIs))
		case uri.Host == "" || uri.Port() != "" || uri.User != nil || uri.RawQuery != "" || uri.Fragment != "":
			return nil, refuse("the client certificate has a SPIFFE ID that is none: expected spiffe://, a trust domain and a path")
		}
		return []string{uri.String()}, nil
	}
	for _, name := range leaf.DNSNames {
		if strings.Contains(name, "*") {
			return nil, refuse("the client certificate is of %s: expected the name of one client", authz.Quote(name))
		}
	}
	if len(leaf.DNSNames) == 0 {
		return nil, refuse("the client certificate names nobody: expected a SPIFFE ID or a DNS name among its alternative names")
	}
	return leaf.DNSNames, nil
}
