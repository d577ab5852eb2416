package forwardauth

import (
	"context"
	"fmt"
	"maps"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/zap"
	"go.uber.org/zap/zaptest/observer"

	"github.com/verdictpdp/verdict/api/authz"
	"github.com/verdictpdp/verdict/engine/mapping"
)

// An answerFunc answers by a function.
type answerFunc func(context.Context, *mapping.Message) (mapping.Answer, error)

func (f answerFunc) Answer(ctx context.Context, m *mapping.Message) (mapping.Answer, error) {
	return f(ctx, m)
}

func always(answer mapping.Answer) answerFunc {
	return func(context.Context, *mapping.Message) (mapping.Answer, error) { return answer, nil }
}

// nginxTells and caddyTells are the headers of a proxy that asks about patient 7.
func nginxTells() http.Header {
	return http.Header{
		"X-Original-Method": {"GET"}, "X-Original-Uri": {"/patients/7?full=1"}, "X-Original-Host": {"records.example"}, "X-Original-Scheme": {"https"},
	}
}

func caddyTells() http.Header {
	return http.Header{
		"X-Forwarded-Method": {"GET"}, "X-Forwarded-Uri": {"/patients/7?full=1"}, "X-Forwarded-Host": {"records.example"}, "X-Forwarded-Proto": {"https"},
	}
}

func ask(o Options, method, path string, headers http.Header) *httptest.ResponseRecorder {
	o.Logger = zap.NewNop()
	request := httptest.NewRequest(method, path, nil)
	request.Header = headers
	response := httptest.NewRecorder()
	New(o).ServeHTTP(response, request)
	return response
}

func TestWhatProxiesTell(t *testing.T) {
	full := mapping.Message{
		Tenant: "default", Method: "GET", Scheme: "https", Host: "records.example", Target: "/patients/7?full=1", Headers: map[string]string{},
	}
	more := http.Header{
		"Accept": {"a", "b"}, "Cookie": {"a=b", "c=d"}, "Connection": {"close"}, "X-Real-Ip": {"10.0.0.9"},
		"X-Forwarded-For": {"6.6.6.6, 10.0.0.8", "7.7.7.7, 8.8.8.8, 10.0.0.7"}, "X-Client-Name": {"CN=web"}, CallerHeader: {"Bearer of-the-proxy"},
	}
	clients := map[string]string{
		"accept": "a, b", "cookie": "a=b; c=d", "x-real-ip": "10.0.0.9", "x-forwarded-for": "6.6.6.6, 10.0.0.8, 7.7.7.7, 8.8.8.8, 10.0.0.7", "x-client-name": "CN=web",
	}
	tests := []struct {
		name, path string
		told       http.Header
		options    Options
		want       func(*mapping.Message)
	}{
		{"nginx", "/proxy/nginx", nginxTells(), Options{}, func(*mapping.Message) {}},
		{"Caddy and Traefik", "/proxy/forwarded", caddyTells(), Options{}, func(*mapping.Message) {}},
		{"of a tenant", "/tenants/clinic/proxy/nginx", nginxTells(), Options{}, func(m *mapping.Message) { m.Tenant = "clinic" }},
		{"of a tenant, forwarded", "/tenants/clinic/proxy/forwarded", caddyTells(), Options{}, func(m *mapping.Message) { m.Tenant = "clinic" }},
		{"a client's headers", "/proxy/nginx", with(nginxTells(), more), Options{}, func(m *mapping.Message) { m.Headers = clients }},
		{
			"headers that the proxy sets", "/proxy/nginx", with(nginxTells(), more), Options{AddressHeader: "x-forwarded-for", PrincipalHeader: "x-client-name"},
			func(m *mapping.Message) {
				m.Address, m.Principal = "10.0.0.7", "CN=web"
				m.Headers = maps.Clone(clients)
				delete(m.Headers, "x-client-name")
			},
		},
		{"an address", "/proxy/nginx", with(nginxTells(), more), Options{AddressHeader: "X-Real-IP"}, func(m *mapping.Message) { m.Address, m.Headers = "10.0.0.9", clients }},
		{"no principal", "/proxy/nginx", nginxTells(), Options{PrincipalHeader: "X-Client-Name"}, func(*mapping.Message) {}},
	}
	for _, tt := range tests {
		for _, method := range []string{http.MethodGet, http.MethodPost, http.MethodHead} {
			t.Run(tt.name+" by "+method, func(t *testing.T) {
				var got *mapping.Message
				tt.options.Answerer = answerFunc(func(_ context.Context, m *mapping.Message) (mapping.Answer, error) {
					got = m
					return mapping.Answer{Status: 200}, nil
				})
				if response := ask(tt.options, method, tt.path, tt.told); response.Code != 200 {
					t.Fatalf("status %d: %s", response.Code, response.Body)
				}
				want := full
				tt.want(&want)
				if diff := cmp.Diff(&want, got); diff != "" {
					t.Error(diff)
				}
			})
		}
	}
}

func with(headers, more http.Header) http.Header {
	all := headers.Clone()
	maps.Copy(all, more)
	return all
}

// A proxy that does not tell, or a client that tells as well, is refused.
func TestWhatMustBeTold(t *testing.T) {
	address := http.Header{"X-Real-Ip": {"10.0.0.7"}}
	for path, told := range map[string]http.Header{"/proxy/nginx": with(nginxTells(), address), "/proxy/forwarded": with(caddyTells(), address)} {
		cases := map[string]http.Header{"none of the headers": {}}
		for name, values := range told {
			cases["no "+name] = with(told, http.Header{name: nil})
			cases["an empty "+name] = with(told, http.Header{name: {""}})
			if name != "X-Real-Ip" {
				cases["a second "+name] = with(told, http.Header{name: append(slices.Clone(values), "x")})
			}
		}
		cases["a list without its last address"] = with(told, http.Header{"X-Real-Ip": {"10.0.0.7, "}})
		cases["a second principal"] = with(told, http.Header{"X-Client-Name": {"CN=web", "CN=root"}})
		for name, headers := range cases {
			t.Run(path+" with "+name, func(t *testing.T) {
				response := ask(Options{AddressHeader: "X-Real-IP", PrincipalHeader: "X-Client-Name", Answerer: answerFunc(func(context.Context, *mapping.Message) (mapping.Answer, error) {
					t.Error("it is answered")
					return mapping.Answer{Status: 200}, nil
				})}, "GET", path, headers)
				want := map[string]int{"/proxy/nginx": 403, "/proxy/forwarded": 400}[path]
				if response.Code != want || !strings.Contains(response.Body.String(), "the proxy must set it, ") {
					t.Errorf("status %d: %s", response.Code, response.Body)
				}
			})
		}
	}
}

// A client of HTTP/1.0 that names no host, of which nginx tells nothing then, fills no log.
func TestRequestsWithoutAHostAreToldOnce(t *testing.T) {
	core, logs := observer.New(zap.WarnLevel)
	handler := New(Options{Answerer: always(mapping.Answer{Status: 200}), Logger: zap.New(core)})
	for _, tt := range []struct {
		missing string
		want    int // warnings of ten requests
	}{{"X-Original-Host", 1}, {"X-Original-Method", 10}} {
		for range 10 {
			request := httptest.NewRequest("GET", "/proxy/nginx", nil)
			request.Header = with(nginxTells(), http.Header{tt.missing: nil})
			response := httptest.NewRecorder()
			if handler.ServeHTTP(response, request); response.Code != http.StatusForbidden {
				t.Errorf("without %s: status %d", tt.missing, response.Code)
			}
		}
		if got := len(logs.TakeAll()); got != tt.want {
			t.Errorf("without %s: %d warnings, want %d", tt.missing, got, tt.want)
		}
	}
}

func TestAllow(t *testing.T) {
	response := ask(Options{
		PolicyHeaders: []string{"x-user", "x-role"},
		Answerer: always(mapping.Answer{Status: 200, Headers: []mapping.Header{
			{Name: "x-user", Values: []string{"mina"}}, {Name: "x-team", Values: []string{"a", "b"}}, {Name: mapping.DecisionHeader, Values: []string{"d1"}},
		}}),
	}, "GET", "/proxy/forwarded", caddyTells())
	want := http.Header{"X-User": {"mina"}, "X-Role": {""}, "X-Team": {"a, b"}, "X-Verdict-Decision-Id": {"d1"}}
	if diff := cmp.Diff(want, response.Header()); diff != "" || response.Code != 200 || response.Body.Len() > 0 {
		t.Errorf("status %d, body %q, %s", response.Code, response.Body, diff)
	}
}

func TestDeny(t *testing.T) {
	tests := []struct{ status, nginx int }{{401, 401}, {403, 403}, {400, 403}, {429, 403}, {302, 403}, {503, 503}, {500, 500}}
	for _, tt := range tests {
		for path, told := range map[string]http.Header{"/proxy/nginx": nginxTells(), "/proxy/forwarded": caddyTells()} {
			want, folded := tt.status, ""
			if path == "/proxy/nginx" {
				want = tt.nginx
				if tt.status < 500 && tt.status != 401 {
					folded = fmt.Sprint(tt.status)
				}
			}
			response := ask(Options{PolicyHeaders: []string{"x-user"}, Answerer: always(mapping.Answer{
				Status: tt.status, Body: []byte("no"),
				Headers: []mapping.Header{{Name: "content-type", Values: []string{"text/plain"}}, {Name: "www-authenticate", Values: []string{"Bearer"}}},
			})}, "GET", path, told)
			header := response.Header()
			if response.Code != want || header.Get(StatusHeader) != folded {
				t.Errorf("%s: a denial of %d has status %d and %q, want %d and %q", path, tt.status, response.Code, header.Get(StatusHeader), want, folded)
			}
			if response.Body.String() != "no" || header.Get("WWW-Authenticate") != "Bearer" || header["X-User"] != nil {
				t.Errorf("%s: body %q, headers %v", path, response.Body, header)
			}
		}
	}
}

func TestWhatTakesTooLong(t *testing.T) {
	waits := answerFunc(func(ctx context.Context, _ *mapping.Message) (mapping.Answer, error) {
		<-ctx.Done()
		return mapping.Answer{Status: 200}, authz.Errorf(authz.KindOf(ctx.Err()), "no decision was made")
	})
	if response := ask(Options{Answerer: waits, MaxTime: time.Millisecond}, "GET", "/proxy/nginx", nginxTells()); response.Code != http.StatusGatewayTimeout {
		t.Errorf("status %d, want 504", response.Code)
	}
}

func TestNowhere(t *testing.T) {
	for _, path := range []string{"/proxy/", "/proxy/envoy", "/tenants/clinic/proxy/", "/proxy/nginx/x"} {
		if response := ask(Options{Answerer: always(mapping.Answer{Status: 200})}, "GET", path, nginxTells()); response.Code != http.StatusNotFound {
			t.Errorf("%s: status %d, want 404", path, response.Code)
		}
	}
}
