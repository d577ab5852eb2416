package authzen

import (
	"net"
	"net/url"
	"regexp"
	"strings"

	"github.com/verdictpdp/verdict/api/authz"
)

// A PublicURL is where callers reach the server: its identifier as a policy
// decision point (section 9.1.1). The zero value is of a server that does not know.
//
// It is configured, and never taken from a request: who sends the Host header
// would choose where others send theirs.
type PublicURL struct {
	origin string // such as https://pdp.example.com
	path   string // such as /authz; empty for none
}

// segment is a part of a public URL's path. Whatever would have to be escaped is
// left out, since two readers may take it for two identifiers.
var segment = regexp.MustCompile(`^[A-Za-z0-9_~-][A-Za-z0-9._~-]*$`)

// ownPaths are what the paths begin with that are served whatever the public URL is,
// those of proxies included, which have to be out of reach for clients.
var ownPaths = []string{"/access/v1/", "/v1/plan/", "/proxy/", "/healthz/", "/readyz/"}

// ParsePublicURL reads an absolute https URL without query and fragment; http is
// for loopback hosts alone, to try it out. A slash at its end is dropped. The path
// must have nothing to be escaped, no segment that begins with a dot or is "tenants",
// below which the tenants are, and must not begin with what the server itself serves.
// Errors are of kind Invalid.
func ParsePublicURL(text string) (PublicURL, error) {
	refused := func(reason string) (PublicURL, error) {
		return PublicURL{}, authz.Errorf(authz.Invalid, "%s %s: expected an https URL such as https://pdp.example.com", authz.Quote(text), reason)
	}
	parsed, err := url.Parse(text)
	switch {
	case err != nil || parsed.Hostname() == "":
		return refused("is no URL with a host")
	case parsed.Scheme != "https" && (parsed.Scheme != "http" || !isLoopback(parsed.Hostname())):
		return refused("is not https, which only a loopback host may do without")
	case parsed.User != nil:
		return refused("has a user in it")
	case strings.ContainsAny(text, "?#"):
		return refused("has a query or a fragment")
	}
	path := strings.TrimSuffix(parsed.EscapedPath(), "/")
	if path != "" {
		for part := range strings.SplitSeq(path[1:], "/") {
			if !segment.MatchString(part) || part == "tenants" {
				return refused("has a path that cannot be served: its segments are letters, digits and ._~-, begin with no dot, and none is \"tenants\"")
			}
		}
		for _, own := range ownPaths {
			if strings.HasPrefix(path+"/", own) {
				return refused("has a path that the server itself serves: leave out " + own + " and what comes behind it")
			}
		}
	}
	return PublicURL{origin: parsed.Scheme + "://" + parsed.Host, path: path}, nil
}

// isLoopback reports whether a host is this machine.
func isLoopback(host string) bool {
	ip := net.ParseIP(host)
	return host == "localhost" || ip != nil && ip.IsLoopback()
}

// known reports whether there is a URL.
func (u PublicURL) known() bool { return u.origin != "" }

// of is the identifier of a tenant's decision point. The empty tenant is the one
// at the root.
func (u PublicURL) of(tenant string) string {
	if tenant == "" {
		return u.origin + u.path
	}
	return u.origin + u.path + "/tenants/" + tenant
}
