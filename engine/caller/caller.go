// Package caller says who calls: the service, person or tool at the other end of
// a connection, and how it proved that. A caller is not the subject of a
// decision, about whom it asks.
//
// It knows no protocol. The edges hand it evidence, and carry the caller in the
// context of a call from there. Start with Caller.
package caller

import (
	"context"

	"github.com/verdictpdp/verdict/api/authz"
)

// A Method is how a caller proved who it is.
type Method string

const (
	// Nobody has proved nothing: callers are not authenticated here.
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
}

// Author is the caller as the change record keeps it.
func (c Caller) Author() authz.Author {
	return authz.Author{Subject: c.Subject, Method: string(c.Method), Address: c.Address}
}

type contextKey struct{}

// NewContext is ctx with who calls.
func NewContext(ctx context.Context, c Caller) context.Context {
	return context.WithValue(ctx, contextKey{}, c)
}

// From is who calls, as far as ctx knows.
func From(ctx context.Context) Caller {
	c, _ := ctx.Value(contextKey{}).(Caller)
	return c
}
