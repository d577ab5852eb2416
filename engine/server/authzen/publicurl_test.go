package authzen

import (
	"net/http"
	"strings"
	"testing"

	"github.com/verdictpdp/verdict/api/authz"
)

func TestPublicURL(t *testing.T) {
	tests := []struct {
		text, want, wantTenant string
	}{
		{"https://pdp.example.com", "https://pdp.example.com", "https://pdp.example.com/tenants/blue"},
		{"https://pdp.example.com/", "https://pdp.example.com", "https://pdp.example.com/tenants/blue"},
		{"HTTPS://pdp.example.com:8443/authz/v-2.1", "https://pdp.example.com:8443/authz/v-2.1", "https://pdp.example.com:8443/authz/v-2.1/tenants/blue"},
		{"https://[2001:db8::1]:8443", "https://[2001:db8::1]:8443", "https://[2001:db8::1]:8443/tenants/blue"},
		{"http://localhost:8182", "http://localhost:8182", "http://localhost:8182/tenants/blue"},
		{"https://pdp.example.com/authz/proxy", "https://pdp.example.com/authz/proxy", "https://pdp.example.com/authz/proxy/tenants/blue"},
		{"https://pdp.example.com/v1", "https://pdp.example.com/v1", "https://pdp.example.com/v1/tenants/blue"},
		{"https://pdp.example.com/access", "https://pdp.example.com/access", "https://pdp.example.com/access/tenants/blue"},
		{"http://127.0.0.5:8182", "http://127.0.0.5:8182", "http://127.0.0.5:8182/tenants/blue"},
		{"http://[::1]", "http://[::1]", "http://[::1]/tenants/blue"},
	}
	for _, tt := range tests {
		t.Run(tt.text, func(t *testing.T) {
			u, err := ParsePublicURL(tt.text)
			if err != nil {
				t.Fatal(err)
			}
			if got, tenant := u.of(""), u.of("blue"); got != tt.want || tenant != tt.wantTenant || !u.known() {
				t.Errorf("identifiers = %q and %q, want %q and %q", got, tenant, tt.want, tt.wantTenant)
			}
		})
	}
}

func TestPublicURLRefusals(t *testing.T) {
	tests := []struct{ name, text, want string }{
		{"nothing", "", "no URL with a host"},
		{"a host alone", "pdp.example.com", "no URL with a host"},
		{"no host", "https:///authz", "no URL with a host"},
		{"a port alone", "https://:8443", "no URL with a host"},
		{"no hierarchy", "https:pdp.example.com", "no URL with a host"},
		{"a control character", "https://pdp.example.com/\n", "no URL with a host"},
		{"http", "http://pdp.example.com", "is not https"},
		{"http to a host that only begins like this machine", "http://localhost.example.com", "is not https"},
		{"http to every address", "http://0.0.0.0", "is not https"},
		{"another scheme", "ftp://localhost", "is not https"},
		{"a user", "https://me@pdp.example.com", "has a user"},
		{"a query", "https://pdp.example.com?a=1", "a query or a fragment"},
		{"an empty query", "https://pdp.example.com/?", "a query or a fragment"},
		{"an empty fragment", "https://pdp.example.com/#", "a query or a fragment"},
		{"an empty segment", "https://pdp.example.com/a//b", "a path that cannot be served"},
		{"two slashes at the end", "https://pdp.example.com/a//", "a path that cannot be served"},
		{"the segment above", "https://pdp.example.com/a/../b", "a path that cannot be served"},
		{"a well-known path", "https://pdp.example.com/.well-known", "a path that cannot be served"},
		{"a tenant's path", "https://pdp.example.com/tenants/blue", "a path that cannot be served"},
		{"an endpoint", "https://pdp.example.com/access/v1/evaluation", "leave out /access/v1/ and what comes behind it"},
		{"what the endpoints begin with", "https://pdp.example.com/access/v1/", "leave out /access/v1/"},
		{"a path of plans", "https://pdp.example.com/v1/plan/resources", "leave out /v1/plan/"},
		{"a path of proxies", "https://pdp.example.com/proxy", "leave out /proxy"},
		{"a path of health", "https://pdp.example.com/healthz", "leave out /healthz"},
		{"a path of readiness", "https://pdp.example.com/readyz/x", "leave out /readyz"},
		{"a wildcard", "https://pdp.example.com/{tenant}", "a path that cannot be served"},
		{"an escape", "https://pdp.example.com/a%2Fb", "a path that cannot be served"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			_, err := ParsePublicURL(tt.text)
			if authz.KindOf(err) != authz.Invalid || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("error = %v, want one of kind invalid with %q", err, tt.want)
			}
		})
	}
}

// FuzzParsePublicURL holds that what is taken can be served: its identifier reads
// as itself, and a handler takes its path.
func FuzzParsePublicURL(f *testing.F) {
	for _, seed := range []string{"https://pdp.example.com/authz", "http://[::1]:80/", "https://a/b.c/~d", "https://a/{b...}"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		u, err := ParsePublicURL(text)
		if err != nil {
			return
		}
		again, err := ParsePublicURL(u.of(""))
		if err != nil || again != u {
			t.Fatalf("%q is %+v, which reads as %+v, %v", text, u, again, err)
		}
		newOpen(Options{
			Decider: allowReads, PublicURL: u, Searcher: searchFunc(nil), Planner: planFunc(nil),
			Further: map[string]http.Handler{"/proxy/{proxy}": http.NotFoundHandler(), "/tenants/{tenant}/proxy/{proxy}": http.NotFoundHandler()},
		})
	})
}
