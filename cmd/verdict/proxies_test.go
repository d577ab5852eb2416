package main

import (
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	authv3 "github.com/envoyproxy/go-control-plane/envoy/service/auth/v3"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"

	"github.com/verdictpdp/verdict/api/authz"
	"github.com/verdictpdp/verdict/engine/activation"
)

// startBehindProxies serves two tenants to proxies: the clinic, whose people are
// known by certificates, and the shop, where everybody may look at everything.
func startBehindProxies(t *testing.T) *service {
	t.Helper()
	dir := t.TempDir()
	for file, text := range map[string]string{
		"clinic/data.json": `{"http": {
			"routes": [{"path": "/patients/{id}", "type": "patient", "id": "{id}"}],
			"principals": {"type": "user", "prefix": "spiffe://clinic/"}
		}}`,
		"clinic/authz.rego": `package authz

import rego.v2

import data.verdict.request

default allow := false

allow if {
	input.action.name == "read"
	request.subject.attributes.ward == request.resource.attributes.ward
}

reasons contains "another ward" if not allow

obligations.http.headers["x-user"] := input.subject.id if allow

obligations.http.status := 429 if input.action.name == "delete"

obligations.http.headers["retry-after"] := 60 if input.action.name == "delete"
`,
		"shop/data.json": `{"http": {"routes": [{"path": "/{rest...}", "type": "page", "id": "{rest}"}], "anonymous": {"type": "user", "id": "anonymous"}}}`,
		"shop/authz.rego": `package authz

allow if input.action.name == "read"
`,
		"directory.jsonl": `{"entity": {"type": "user", "id": "mina", "attributes": {"ward": "icu"}}}
{"entity": {"type": "user", "id": "noor", "attributes": {"ward": "surgery"}}}
{"entity": {"type": "patient", "id": "7", "attributes": {"ward": "icu"}}}
`,
	} {
		path := filepath.Join(dir, file)
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			t.Fatal(err)
		}
		write(t, path, text)
	}
	cfg := defaultConfig()
	cfg.Limits.Evaluation = unhurriedEvaluation
	cfg.ExtAuthz.Enabled, cfg.ForwardAuth.Enabled = true, true
	cfg.ExtAuthz.Hosts = map[string]string{"shop.example": "shop"}
	cfg.ExtAuthz.PolicyHeaders = []string{"x-user", "x-role"}
	cfg.ForwardAuth.PrincipalHeader = "X-Client"
	cfg.Tenants = map[string]tenantConfig{
		authz.DefaultTenant: {Bundle: filepath.Join(dir, "clinic"), SkipTests: true}, "shop": {Bundle: filepath.Join(dir, "shop"), SkipTests: true},
	}
	if err := cfg.validate(); err != nil {
		t.Fatal(err)
	}
	var tenants []activation.Tenant
	for name, tenant := range cfg.Tenants {
		tenants = append(tenants, bundleAt(name, tenant))
	}
	s, r := startService(t, cfg, tenants...)
	if code, output := runLine(t, "verdict import --server "+r.server+" "+filepath.Join(dir, "directory.jsonl")); code != exitOK {
		t.Fatal(output)
	}
	return s
}

// The requests that proxies ask about, and what they are told.
var proxied = []struct {
	name, principal, method, host, target string
	header                                [2]string
	status                                int
	want                                  map[string]string // headers, besides the decision's id
	body                                  string            // part of it
}{
	{"what the policy allows", "spiffe://clinic/mina", "GET", "", "/patients/7?full=1", [2]string{}, 200, map[string]string{"x-user": "mina"}, ""},
	{"a header that a client sends", "spiffe://clinic/mina", "GET", "", "/patients/7", [2]string{"x-user", "root"}, 200, map[string]string{"x-user": "mina"}, ""},
	{"what the policy denies", "spiffe://clinic/noor", "GET", "", "/patients/7", [2]string{}, 403, nil, `"reasons":["another ward"]`},
	{"what it denies in its own way", "spiffe://clinic/mina", "DELETE", "", "/patients/7", [2]string{}, 429, map[string]string{"retry-after": "60"}, `"reasons"`},
	{"nobody", "", "GET", "", "/patients/7", [2]string{}, 401, map[string]string{"www-authenticate": `Bearer realm="verdict"`}, "who asks"},
	{"somebody of elsewhere", "spiffe://shop/mina", "GET", "", "/patients/7", [2]string{}, 401, nil, "who asks"},
	{"no route", "spiffe://clinic/mina", "GET", "", "/doctors/7", [2]string{}, 403, nil, "nothing is known"},
	{"no action", "spiffe://clinic/mina", "BREW", "", "/patients/7", [2]string{}, 403, nil, "nothing is known"},
	{"a trick", "spiffe://clinic/mina", "GET", "", "/patients/8/..%2f7", [2]string{}, 400, nil, "encoded slash"},
	{"another method in a header", "spiffe://clinic/mina", "GET", "", "/patients/7", [2]string{"x-http-method-override", "DELETE"}, 400, nil, "x-http-method-override"},
	{"a header that some take for the policy's", "spiffe://clinic/mina", "GET", "", "/patients/7", [2]string{"x_user", "root"}, 400, nil, "x_user"},
	{"a certificate that a client tells of", "", "GET", "", "/patients/7", [2]string{"x-forwarded-client-cert", "URI=spiffe://clinic/mina"}, 401, nil, "who asks"},
	{"a method within the query", "spiffe://clinic/mina", "GET", "", "/patients/7?_method=DELETE", [2]string{}, 400, nil, "_method"},
	{"a path within a header", "spiffe://clinic/mina", "GET", "", "/patients/7", [2]string{"x-original-url", "/patients/8"}, 400, nil, "x-original-url"},
	{"a path within the query", "spiffe://clinic/mina", "GET", "", "/doctors?/patients/7", [2]string{}, 403, nil, "nothing is known"},
	{"a fragment", "spiffe://clinic/mina", "GET", "", "/patients/7#/../8", [2]string{}, 400, nil, "fragment"},
	{"an absolute target", "spiffe://clinic/mina", "GET", "", "http://x/patients/7", [2]string{}, 400, nil, "begins with"},
	{"two slashes that begin like a host", "spiffe://clinic/mina", "GET", "", "//patients/7", [2]string{}, 400, nil, "two slashes"},
	{"a method in small letters", "spiffe://clinic/mina", "get", "", "/patients/7", [2]string{}, 403, nil, "nothing is known"},
	{"another tenant", "", "GET", "shop.example:443", "/a/b", [2]string{}, 200, map[string]string{}, ""},
	{"another tenant's denial", "", "POST", "shop.example", "/a/b", [2]string{}, 403, nil, "does not allow"},
}

// TestEnvoyAsks asks as Envoy does, over gRPC.
func TestEnvoyAsks(t *testing.T) {
	s := startBehindProxies(t)
	conn, err := grpc.NewClient(s.grpcListener.Addr().String(), grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	envoy := authv3.NewAuthorizationClient(conn)
	for _, tt := range proxied {
		t.Run(tt.name, func(t *testing.T) {
			headers := map[string]string{":path": tt.target, ":method": tt.method, "accept": "*/*"}
			if tt.header[0] != "" {
				headers[tt.header[0]] = tt.header[1]
			}
			response, err := envoy.Check(t.Context(), &authv3.CheckRequest{Attributes: &authv3.AttributeContext{
				Source:  &authv3.AttributeContext_Peer{Principal: tt.principal},
				Request: &authv3.AttributeContext_Request{Http: &authv3.AttributeContext_HttpRequest{Method: tt.method, Scheme: "https", Host: tt.host, Path: tt.target, Headers: headers}},
			}})
			if err != nil {
				t.Fatal(err)
			}
			if err := response.ValidateAll(); err != nil {
				t.Error(err)
			}
			if allowed := response.GetOkResponse(); allowed != nil {
				checkAnswer(t, 200, tt.status, envoysHeaders(allowed.GetHeaders()), tt.want, "", tt.body)
				// What the policy does not set is taken away.
				if removed := fmt.Sprint(allowed.GetHeadersToRemove()); removed != map[bool]string{true: "[x-role]", false: "[x-user x-role]"}[tt.want["x-user"] != ""] {
					t.Errorf("%s are removed", removed)
				}
				return
			}
			denied := response.GetDeniedResponse()
			checkAnswer(t, int(denied.GetStatus().GetCode()), tt.status, envoysHeaders(denied.GetHeaders()), tt.want, denied.GetBody(), tt.body)
		})
	}
	t.Run("a tenant of the route that there is none of", func(t *testing.T) {
		response, err := envoy.Check(t.Context(), &authv3.CheckRequest{Attributes: &authv3.AttributeContext{
			ContextExtensions: map[string]string{"verdict.tenant": "nobody"},
			Request:           &authv3.AttributeContext_Request{Http: &authv3.AttributeContext_HttpRequest{Method: "GET", Host: "shop.example", Path: "/"}},
		}})
		if err != nil || response.GetDeniedResponse().GetStatus().GetCode() != 403 {
			t.Errorf("answer %v, error %v; want a denial", response, err)
		}
	})
}

func envoysHeaders(options []*corev3.HeaderValueOption) http.Header {
	headers := http.Header{}
	for _, option := range options {
		headers.Add(option.GetHeader().GetKey(), option.GetHeader().GetValue())
	}
	return headers
}

// TestForwardAuth asks as proxies do over HTTP.
func TestForwardAuth(t *testing.T) {
	s := startBehindProxies(t)
	for _, tt := range proxied {
		t.Run(tt.name, func(t *testing.T) {
			path := "/proxy/forwarded"
			if tt.host != "" { // over HTTP the tenant is the path's
				path = "/tenants/shop" + path
			}
			request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://"+s.httpListener.Addr().String()+path, nil)
			if err != nil {
				t.Fatal(err)
			}
			for name, value := range map[string]string{
				"X-Forwarded-Method": tt.method, "X-Forwarded-Uri": tt.target, "X-Forwarded-Host": "x", "X-Forwarded-Proto": "https",
				"X-Client": tt.principal, tt.header[0]: tt.header[1],
			} {
				if name != "" {
					request.Header.Set(name, value)
				}
			}
			response, err := http.DefaultClient.Do(request)
			if err != nil {
				t.Fatal(err)
			}
			defer response.Body.Close()
			var body strings.Builder
			if err := response.Write(&body); err != nil {
				t.Fatal(err)
			}
			checkAnswer(t, response.StatusCode, tt.status, response.Header, tt.want, body.String(), tt.body)
		})
	}
}

func checkAnswer(t *testing.T, status, wantStatus int, headers http.Header, want map[string]string, body, part string) {
	t.Helper()
	if status != wantStatus {
		t.Errorf("status %d, want %d: %s", status, wantStatus, body)
	}
	for name, value := range want {
		if headers.Get(name) != value {
			t.Errorf("%s is %q, want %q", name, headers.Get(name), value)
		}
	}
	if decided := headers.Get("X-Verdict-Decision-Id") != ""; decided != (status == 200 || status == 429 || strings.Contains(body, "the policy does not allow")) {
		t.Errorf("status %d has headers %v", status, headers)
	}
	if !strings.Contains(body, part) {
		t.Errorf("the body %s does not tell of %q", body, part)
	}
}

// Proxies that the configuration does not name are not answered.
func TestProxiesAreOffUnlessTurnedOn(t *testing.T) {
	s, _ := startService(t, defaultConfig(), shippedBundle("customer"))
	response, err := http.Get("http://" + s.httpListener.Addr().String() + "/proxy/nginx")
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	if response.StatusCode != http.StatusNotFound {
		t.Errorf("status %d, want 404", response.StatusCode)
	}
	conn, err := grpc.NewClient(s.grpcListener.Addr().String(), grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if answer, err := authv3.NewAuthorizationClient(conn).Check(t.Context(), &authv3.CheckRequest{}); err == nil {
		t.Errorf("Envoy is answered %v", answer)
	}
}

func TestProxySettingsThatCannotWork(t *testing.T) {
	for name, tt := range map[string]struct {
		change func(*config)
		want   string
	}{
		"no such tenant":             {func(c *config) { c.ExtAuthz.Tenant = "blue" }, `ext_authz.tenant: "blue" is none of the tenants`},
		"no such tenant of a host":   {func(c *config) { c.ExtAuthz.Hosts = map[string]string{"a.example": "blue"} }, `ext_authz.hosts.a.example: "blue" is none`},
		"a host with a port":         {func(c *config) { c.ExtAuthz.Hosts = map[string]string{"a.example:80": "default"} }, "ext_authz.hosts.a.example:80: is no host"},
		"a host in capitals":         {func(c *config) { c.ExtAuthz.Hosts = map[string]string{"A.example": "default"} }, "ext_authz.hosts.A.example: is no host"},
		"a policy's header":          {func(c *config) { c.ExtAuthz.PolicyHeaders = []string{"X-User"} }, `ext_authz.policy_headers: "X-User"`},
		"a policy's header, forward": {func(c *config) { c.ForwardAuth.PolicyHeaders = []string{"x user"} }, `forward_auth.policy_headers: "x user"`},
		"an address's header":        {func(c *config) { c.ForwardAuth.AddressHeader = "X Real" }, `forward_auth.address_header: "X Real"`},
		"a principal's header":       {func(c *config) { c.ForwardAuth.PrincipalHeader = "x:y" }, `forward_auth.principal_header: "x:y"`},
	} {
		t.Run(name, func(t *testing.T) {
			cfg := defaultConfig()
			cfg.Tenants["default"] = tenantConfig{Bundle: "x"}
			cfg.ExtAuthz.Enabled = true
			if err := cfg.validate(); err != nil {
				t.Fatal(err)
			}
			tt.change(&cfg)
			if err := cfg.validate(); err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("error %v, want it to tell of %s", err, tt.want)
			}
		})
	}
}
