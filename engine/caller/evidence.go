package caller

import (
	"crypto/tls"
	"net"
	"strings"

	"github.com/verdictpdp/verdict/api/authz"
)

// Evidence is what a connection brings to show who is at its other end.
type Evidence struct {
	// TLS is the state of the connection; nil without TLS. The certificates in it need
	// not be verified.
	TLS *tls.ConnectionState
	// Process is the process at the other end of a Unix socket; nil for none.
	Process *Process
	// Address is where the connection comes from: an IP address, or unix.
	Address string
}

// A Process is what the kernel says of the process at the other end of a Unix socket,
// as it was when it connected.
type Process struct {
	// UID and GID are its effective user and its primary group.
	UID, GID uint32
	// PID is its id; 0 where the system does not tell. By the time that it is looked
	// at, another process may have it.
	PID int32
}

// AddressOf is where a connection comes from, as Evidence has it.
func AddressOf(remote net.Addr) string {
	switch {
	case remote == nil:
		return ""
	case remote.Network() == "unix":
		return "unix"
	}
	if host, _, err := net.SplitHostPort(remote.String()); err == nil {
		return host
	}
	return remote.String()
}

// maxBearerBytes bounds a bearer token, signed ones included.
const maxBearerBytes = 16 << 10

// bearerOf is the token in the credentials of a call (RFC 6750, section 2.1), of
// which there must be one.
func bearerOf(authorization []string) (string, error) {
	if len(authorization) != 1 {
		return "", refuse("the call has %d Authorization headers: send one", len(authorization))
	}
	scheme, token, _ := strings.Cut(authorization[0], " ")
	token = strings.Trim(token, " ")
	switch {
	case !strings.EqualFold(scheme, "Bearer") || token == "":
		return "", refuse("the Authorization header has no bearer token: send Bearer and a token")
	case len(token) > maxBearerBytes:
		return "", refuse("the bearer token has %d bytes: at most %d are allowed", len(token), maxBearerBytes)
	}
	return token, nil
}

func refuse(format string, args ...any) error {
	return authz.Errorf(authz.Unauthenticated, format, args...)
}
