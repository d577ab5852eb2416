package caller

import (
	"sync/atomic"
	"time"

	"github.com/verdictpdp/verdict/api/authz"
)

// Options are the ways in which callers prove who they are. Without any, callers are
// not authenticated, and everyone is nobody.
type Options struct {
	// Tokens are known by their hashes.
	Tokens []TokenHash
	// Certificates are those of clients; nil for none.
	Certificates *Certificates
	// Peers are processes at Unix sockets.
	Peers []PeerRule
	// Issuers sign tokens; nil for none.
	Issuers *Issuers
	// Anonymous lets calls in that bring no evidence, as those of nobody.
	Anonymous bool
	// Clock is nil for time.Now.
	Clock func() time.Time
}

// An Authenticator finds out who calls. It is safe for use by many goroutines at once.
type Authenticator struct {
	tokens       tokens
	certificates *Certificates
	peers        peers
	issuers      *Issuers
	anonymous    bool
	clock        func() time.Time
}

// New makes an Authenticator.
func New(o Options) *Authenticator {
	if o.Clock == nil {
		o.Clock = time.Now
	}
	return &Authenticator{
		tokens: o.Tokens, certificates: o.Certificates, peers: o.Peers, issuers: o.Issuers,
		anonymous: o.Anonymous, clock: o.Clock,
	}
}

// Authenticates reports whether callers have to prove who they are in any way at all.
func (a *Authenticator) Authenticates() bool {
	return len(a.tokens) > 0 || a.certificates != nil || len(a.peers) > 0 || a.issuers != nil
}

// TakesCertificates reports whether clients are to be asked for their certificates.
func (a *Authenticator) TakesCertificates() bool { return a.certificates != nil }

// A Connection is what is known of the other end of a connection. It is safe for use by
// many goroutines at once.
type Connection struct {
	authenticator *Authenticator
	evidence      Evidence
	found         atomic.Pointer[finding]
}

// A finding is who the evidence of a connection shows. The error is why it shows
// nobody.
type finding struct {
	caller Caller
	err    error
	trust  *trust    // by which a certificate was verified
	at     time.Time // when
}

// refusedFor is for how long a certificate that does not hold is not looked at again. It
// may come to hold on a connection that lasts, as when the clock was wrong and is set.
const refusedFor = time.Second

// stands reports whether what was found is still to be taken.
func (f *finding) stands(by *trust, clock func() time.Time) bool {
	return f.trust == by && (f.err == nil || clock().Sub(f.at).Abs() < refusedFor)
}

// Connect looks at what a connection brings.
func (a *Authenticator) Connect(evidence Evidence) *Connection {
	c := &Connection{authenticator: a, evidence: evidence}
	c.find()
	return c
}

// find looks at the evidence, again if other authorities are trusted than before, or if it
// showed nobody a while ago.
func (c *Connection) find() *finding {
	a := c.authenticator
	var by *trust
	if a.certificates != nil {
		by = a.certificates.trusted.Load()
	}
	if found := c.found.Load(); found != nil && found.stands(by, a.clock) {
		return found
	}
	found := &finding{caller: Caller{Address: c.evidence.Address}, trust: by}
	switch {
	case !a.Authenticates():
	case c.hasCertificate() && by == nil:
		found.err = refuse("client certificates are not taken here")
	case c.hasCertificate():
		found.caller.Method, found.at = MTLS, a.clock()
		found.caller.Subject, found.caller.Until, found.err = a.certificates.caller(by, c.evidence.TLS, found.at)
	case c.evidence.Process != nil:
		// A process presents nothing, so that one that is not known is merely nobody.
		if subject, known := a.peers.subject(c.evidence.Process); known {
			found.caller.Method, found.caller.Subject = Peer, subject
		}
	}
	c.found.Store(found)
	return found
}

func (c *Connection) hasCertificate() bool {
	return c.evidence.TLS != nil && len(c.evidence.TLS.PeerCertificates) > 0
}

// Caller is who makes a call on the connection, by the values of its Authorization
// header, if it has any. A token names the caller before a certificate or a process
// does, since it is of the call; a certificate has to hold all the same. Errors are of
// kind Unauthenticated.
func (c *Connection) Caller(authorization ...string) (Caller, error) {
	a := c.authenticator
	found := c.find()
	if !a.Authenticates() {
		return found.caller, nil
	}
	if found.err != nil {
		return Caller{}, found.err
	}
	if !found.caller.Until.IsZero() && !a.clock().Before(found.caller.Until) {
		return Caller{}, refuse("the client certificate has expired on %s: connect with another", found.caller.Until.UTC().Format(time.RFC3339))
	}
	if len(authorization) > 0 {
		return a.byBearer(found.caller, authorization)
	}
	if found.caller.Method == Nobody && !a.anonymous {
		return Caller{}, refuse("it is not known who calls: %s", a.wanted())
	}
	return found.caller, nil
}

// byBearer is who brings a bearer token. What the connection has shown bounds for how
// long.
func (a *Authenticator) byBearer(connected Caller, authorization []string) (Caller, error) {
	token, err := bearerOf(authorization)
	if err != nil {
		return Caller{}, err
	}
	c := connected
	if isSigned(token) && a.issuers != nil {
		identity, err := a.issuers.verify(token, a.clock())
		if err != nil {
			return Caller{}, err
		}
		c.Method, c.Subject = JWT, identity.subject
		if c.Until.IsZero() || identity.until.Before(c.Until) {
			c.Until = identity.until
		}
		return c, nil
	}
	subject, known := a.tokens.holder(token)
	if !known {
		return Caller{}, refuse("the bearer token is not known here")
	}
	c.Method, c.Subject = Token, subject
	return c, nil
}

// wanted says what a call that brings nothing could bring.
func (a *Authenticator) wanted() string {
	ways := ""
	add := func(takes bool, way string) {
		if !takes {
			return
		}
		if ways != "" {
			ways += " or "
		}
		ways += way
	}
	add(len(a.tokens) > 0 || a.issuers != nil, "send a bearer token")
	add(a.certificates != nil, "connect over TLS with a client certificate")
	add(len(a.peers) > 0, "call at a Unix socket as one of the users that are known")
	return ways
}

// Expired is the error of a call that outlives what its caller has proved.
func Expired(c Caller) error {
	return authz.Errorf(authz.Unauthenticated, "what %s has shown has expired on %s: call again with what holds", c, c.Until.UTC().Format(time.RFC3339))
}
