package extauthz

import (
	"context"
	"net"
	"slices"
	"testing"

	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	authv3 "github.com/envoyproxy/go-control-plane/envoy/service/auth/v3"
	"github.com/google/go-cmp/cmp"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/test/bufconn"

	"github.com/verdictpdp/verdict/engine/mapping"
	"github.com/verdictpdp/verdict/engine/server/wire"
)

// An answerFunc answers by a function.
type answerFunc func(*mapping.Message) (mapping.Answer, error)

func (f answerFunc) Answer(_ context.Context, m *mapping.Message) (mapping.Answer, error) {
	return f(m)
}

func always(answer mapping.Answer) answerFunc {
	return func(*mapping.Message) (mapping.Answer, error) { return answer, nil }
}

// client serves a Server and is Envoy's way to it.
func client(t *testing.T, o Options) authv3.AuthorizationClient {
	t.Helper()
	listener := bufconn.Listen(1 << 20)
	server := grpc.NewServer(grpc.ForceServerCodecV2(wire.NewCodec()))
	New(o).Register(wire.Registrar{Server: server})
	go func() { _ = server.Serve(listener) }()
	t.Cleanup(server.Stop)
	conn, err := grpc.NewClient("passthrough:///envoy", grpc.WithTransportCredentials(insecure.NewCredentials()),
		grpc.WithContextDialer(func(ctx context.Context, _ string) (net.Conn, error) { return listener.DialContext(ctx) }))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	return authv3.NewAuthorizationClient(conn)
}

// check is what Envoy sends about a request for patient 7.
func check() *authv3.CheckRequest {
	return &authv3.CheckRequest{Attributes: &authv3.AttributeContext{
		Source: &authv3.AttributeContext_Peer{
			Principal: "spiffe://example/web",
			Address: &corev3.Address{Address: &corev3.Address_SocketAddress{SocketAddress: &corev3.SocketAddress{
				Address: "10.0.0.7", PortSpecifier: &corev3.SocketAddress_PortValue{PortValue: 40000},
			}}},
		},
		Request: &authv3.AttributeContext_Request{Http: &authv3.AttributeContext_HttpRequest{
			Method: "GET", Scheme: "https", Host: "records.example:8443", Path: "/patients/7?full=1", Protocol: "HTTP/2",
			Headers: map[string]string{":path": "/patients/7?full=1", ":method": "GET", "accept": "text/html", "cookie": "a=b"},
		}},
	}}
}

func TestWhatEnvoyTells(t *testing.T) {
	full := mapping.Message{
		Tenant: "clinic", Method: "GET", Scheme: "https", Host: "records.example:8443", Target: "/patients/7?full=1",
		Headers: map[string]string{"accept": "text/html", "cookie": "a=b"}, Address: "10.0.0.7", Principal: "spiffe://example/web",
	}
	tests := []struct {
		name   string
		change func(*authv3.AttributeContext)
		want   func(*mapping.Message)
	}{
		{"all", func(*authv3.AttributeContext) {}, func(*mapping.Message) {}},
		{"a tenant of the route", func(a *authv3.AttributeContext) {
			a.ContextExtensions = map[string]string{TenantExtension: "shop", "other": "x"}
		}, func(m *mapping.Message) { m.Tenant = "shop" }},
		{"a tenant of the host", func(a *authv3.AttributeContext) { a.Request.Http.Host = "Shop.Example:443" }, func(m *mapping.Message) {
			m.Tenant, m.Host = "shop", "Shop.Example:443"
		}},
		{"the route's tenant before the host's", func(a *authv3.AttributeContext) {
			a.Request.Http.Host, a.ContextExtensions = "shop.example", map[string]string{TenantExtension: "blue"}
		}, func(m *mapping.Message) { m.Tenant, m.Host = "blue", "shop.example" }},
		{"raw headers", func(a *authv3.AttributeContext) {
			a.Request.Http.Headers = nil
			a.Request.Http.HeaderMap = &corev3.HeaderMap{Headers: []*corev3.HeaderValue{
				{Key: ":path", RawValue: []byte("/")}, {Key: "accept", RawValue: []byte("a")}, {Key: "Accept", RawValue: []byte("b")},
				{Key: "cookie", RawValue: []byte("a=b")}, {Key: "cookie", Value: "c=d"},
			}}
		}, func(m *mapping.Message) {
			m.Headers = map[string]string{"accept": "a, b", "cookie": "a=b; c=d"}
		}},
		{"both forms of headers", func(a *authv3.AttributeContext) {
			a.Request.Http.HeaderMap = &corev3.HeaderMap{Headers: []*corev3.HeaderValue{{Key: "Accept", Value: "b"}, {Key: ":method", Value: "POST"}}}
		}, func(m *mapping.Message) {
			m.Headers = map[string]string{"accept": "text/html, b", "cookie": "a=b"}
		}},
		{"a query beside the path", func(a *authv3.AttributeContext) { a.Request.Http.Path, a.Request.Http.Query = "/patients/7", "a=b" }, func(m *mapping.Message) {
			m.Target = "/patients/7?a=b"
		}},
		{"two queries", func(a *authv3.AttributeContext) { a.Request.Http.Query = "a=b" }, func(m *mapping.Message) { m.Target = "" }},
		{"a fragment beside the path", func(a *authv3.AttributeContext) { a.Request.Http.Fragment = "/../admin" }, func(m *mapping.Message) {
			m.Target = "/patients/7?full=1#/../admin"
		}},
		{"no source", func(a *authv3.AttributeContext) { a.Source = nil }, func(m *mapping.Message) { m.Address, m.Principal = "", "" }},
		{"no HTTP request", func(a *authv3.AttributeContext) { a.Request = nil }, func(m *mapping.Message) {
			*m = mapping.Message{Tenant: m.Tenant, Address: m.Address, Principal: m.Principal}
		}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			var got *mapping.Message
			envoy := client(t, Options{
				Tenant: "clinic", Hosts: map[string]string{"shop.example": "shop"},
				Answerer: answerFunc(func(m *mapping.Message) (mapping.Answer, error) {
					got = m
					return mapping.Answer{Status: 200}, nil
				}),
			})
			request := check()
			tt.change(request.Attributes)
			if _, err := envoy.Check(t.Context(), request); err != nil {
				t.Fatal(err)
			}
			want := full
			tt.want(&want)
			if diff := cmp.Diff(&want, got); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestAllow(t *testing.T) {
	envoy := client(t, Options{
		PolicyHeaders: []string{"x-user", "x-role"},
		Answerer: always(mapping.Answer{Status: 200, Headers: []mapping.Header{
			{Name: "x-user", Values: []string{"mina"}}, {Name: "x-team", Values: []string{"a", "b"}}, {Name: "x-empty", Values: []string{""}},
		}}),
	})
	response, err := envoy.Check(t.Context(), check())
	if err != nil {
		t.Fatal(err)
	}
	if response.GetStatus().GetCode() != int32(codes.OK) || response.GetOkResponse() == nil {
		t.Fatalf("answer %v, want OK", response)
	}
	if err := response.ValidateAll(); err != nil { // as Envoy does
		t.Error(err)
	}
	want := []set{{"x-user", "mina", overwrite}, {"x-team", "a, b", overwrite}}
	if diff := cmp.Diff(want, setsIn(response.GetOkResponse().GetHeaders())); diff != "" {
		t.Error(diff)
	}
	if removed := response.GetOkResponse().GetHeadersToRemove(); !slices.Equal(removed, []string{"x-empty", "x-role"}) {
		t.Errorf("%v are removed, want the empty one and the policy's that is not set", removed)
	}
}

const (
	overwrite = corev3.HeaderValueOption_OVERWRITE_IF_EXISTS_OR_ADD
	appended  = corev3.HeaderValueOption_APPEND_IF_EXISTS_OR_ADD
)

type set struct {
	Name, Value string
	Action      corev3.HeaderValueOption_HeaderAppendAction
}

func setsIn(headers []*corev3.HeaderValueOption) (sets []set) {
	for _, h := range headers {
		sets = append(sets, set{h.GetHeader().GetKey(), h.GetHeader().GetValue(), h.GetAppendAction()})
	}
	return sets
}

func TestDeny(t *testing.T) {
	tests := []struct {
		status int
		http   int32
		code   codes.Code
	}{
		{401, 401, codes.Unauthenticated},
		{403, 403, codes.PermissionDenied},
		{400, 400, codes.PermissionDenied},
		{429, 429, codes.PermissionDenied},
		{503, 503, codes.PermissionDenied},
		{302, 302, codes.PermissionDenied},
		{451, 403, codes.PermissionDenied}, // which Envoy does not know
		{0, 403, codes.PermissionDenied},   // nor is nothing a status
	}
	for _, tt := range tests {
		envoy := client(t, Options{Answerer: always(mapping.Answer{
			Status: tt.status, Body: []byte(`{"message":"no"}`),
			Headers: []mapping.Header{{Name: "content-type", Values: []string{"application/json"}}, {Name: "set-cookie", Values: []string{"a=b", "c=d"}}},
		})})
		response, err := envoy.Check(t.Context(), check())
		if err != nil {
			t.Fatal(err)
		}
		denied := response.GetDeniedResponse()
		if response.GetStatus().GetCode() != int32(tt.code) || int32(denied.GetStatus().GetCode()) != tt.http || denied.GetBody() != `{"message":"no"}` {
			t.Errorf("status %d: %v", tt.status, response)
		}
		if err := response.ValidateAll(); err != nil { // as Envoy does
			t.Error(err)
		}
		want := []set{{"content-type", "application/json", overwrite}, {"set-cookie", "a=b", overwrite}, {"set-cookie", "c=d", appended}}
		if diff := cmp.Diff(want, setsIn(denied.GetHeaders())); diff != "" {
			t.Error(diff)
		}
	}
}

func TestTheEndOfACallIsItsError(t *testing.T) {
	envoy := client(t, Options{Answerer: answerFunc(func(*mapping.Message) (mapping.Answer, error) {
		return mapping.Answer{Status: 200}, context.DeadlineExceeded
	})})
	if response, err := envoy.Check(t.Context(), check()); err == nil {
		t.Errorf("answer %v, want an error", response)
	}
}
