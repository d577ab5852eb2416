// Package caller says who calls: the service, person or tool at the other end of
// a connection, and how it proved that. A caller is not the subject of a
// decision, about whom it asks.
//
// It knows no protocol. The edges hand it Evidence, of a connection once and of
// each call, and an Authenticator makes a Caller of it, which they carry in the
// context of a call from there. Each way of proving it has a file: token.go for
// bearer tokens whose hashes are configured, jwt.go for those that an issuer has
// signed, certificate.go for certificates, peer.go for what the kernel says of the
// process at a Unix socket.
//
// What is presented and does not hold is refused, and never made up for by a
// weaker way. What a caller may do is decided elsewhere, by its name and an
// Operation. Start with Caller, then Authenticator.
package caller

import (
	"context"
	"time"

	"github.com/verdictpdp/verdict/api/authz"
)

// A Method is how a caller proved who it is.
type Method string

const (
	// Nobody has proved nothing: callers are not authenticated here, or need not be.
	Nobody Method = ""
	// MTLS is a client's certificate.
	MTLS Method = "mtls"
	// JWT is a token that an issuer has signed.
	JWT Method = "jwt"
	// Token is a bearer token whose hash is configured.
	Token Method = "token"
	// Peer is what the kernel says of the process at a Unix socket.
	Peer Method = "peer"
)

// A Caller is who calls. The zero value is nobody who is known.
type Caller struct {
	// Subject is the caller as the policy for callers knows it, such as
	// service:checkout.
	Subject authz.EntityRef
	// Method is how it proved that.
	Method Method
	// Address is where the call comes from: an IP address, or unix.
	Address string
	// Until is when the proof ends, and with it what still runs of the call; the
	// zero time for never.
	Until time.Time
}

// Author is the caller as the change record keeps it.
func (c Caller) Author() authz.Author {
	return authz.Author{Subject: c.Subject, Method: string(c.Method), Address: c.Address}
}

// String names the caller to people.
func (c Caller) String() string {
	if c.Method == Nobody {
		return "nobody who is known"
	}
	return c.Subject.String()
}

type contextKey struct{}

// A Context is a context that can be told who calls, once. It may be a part of what else
// is made for each call.
type Context struct {
	context.Context
	caller Caller
	isTold bool
}

// Tell tells who calls. It must be told before others have the context.
func (c *Context) Tell(who Caller) { c.caller, c.isTold = who, true }

// Value is the caller, or what the context before has.
func (c *Context) Value(key any) any {
	if key == (contextKey{}) && c.isTold {
		return &c.caller
	}
	return c.Context.Value(key)
}

// NewContext is ctx with who calls.
func NewContext(ctx context.Context, c Caller) context.Context {
	return &Context{ctx, c, true}
}

// From is who calls, as far as ctx knows.
func From(ctx context.Context) Caller {
	if c, is := ctx.Value(contextKey{}).(*Caller); is {
		return *c
	}
	return Caller{}
}
