package extauthz

import (
	"context"
	"strings"

	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	authv3 "github.com/envoyproxy/go-control-plane/envoy/service/auth/v3"
	typev3 "github.com/envoyproxy/go-control-plane/envoy/type/v3"
	rpcstatus "google.golang.org/genproto/googleapis/rpc/status"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"

	"github.com/verdictpdp/verdict/engine/mapping"
)

// TenantExtension is the context extension that names the tenant.
const TenantExtension = "verdict.tenant"

// An Answerer answers proxies. *mapping.Mapper is one.
type Answerer interface {
	Answer(ctx context.Context, message *mapping.Message) (mapping.Answer, error)
}

// Options are the parts of a Server. Answerer and Tenant are required.
type Options struct {
	Answerer Answerer
	// Tenant is the tenant of a check for which nothing names another.
	Tenant string
	// Hosts are the tenants of virtual hosts: in small letters, without a port.
	Hosts map[string]string
	// PolicyHeaders are the headers, in small letters, that reach a backend only
	// where the policy sets them.
	PolicyHeaders []string
}

// A Server answers Envoy's checks.
type Server struct {
	authv3.UnimplementedAuthorizationServer
	Options
}

// New makes a Server.
func New(o Options) *Server { return &Server{Options: o} }

// Register makes the server part of a gRPC server.
func (s *Server) Register(registrar grpc.ServiceRegistrar) {
	authv3.RegisterAuthorizationServer(registrar, s)
}

// Check answers one check. Its errors are the Answerer's.
func (s *Server) Check(ctx context.Context, request *authv3.CheckRequest) (*authv3.CheckResponse, error) {
	answer, err := s.Answerer.Answer(ctx, s.message(request))
	if err != nil {
		return nil, err
	}
	if answer.Allowed() {
		return s.allow(&answer), nil
	}
	return deny(&answer), nil
}

// message is what Envoy tells of a request. What is about no HTTP request has no
// method, and so is refused.
func (s *Server) message(request *authv3.CheckRequest) *mapping.Message {
	attributes := request.GetAttributes()
	http := attributes.GetRequest().GetHttp()
	source := attributes.GetSource()
	return &mapping.Message{
		Tenant:    s.tenant(attributes),
		Method:    http.GetMethod(),
		Scheme:    http.GetScheme(),
		Host:      http.GetHost(),
		Target:    targetOf(http),
		Headers:   headersOf(http),
		Address:   source.GetAddress().GetSocketAddress().GetAddress(),
		Principal: source.GetPrincipal(),
	}
}

func (s *Server) tenant(attributes *authv3.AttributeContext) string {
	if tenant := attributes.GetContextExtensions()[TenantExtension]; tenant != "" {
		return tenant
	}
	if len(s.Hosts) > 0 {
		if tenant := s.Hosts[mapping.HostName(attributes.GetRequest().GetHttp().GetHost())]; tenant != "" {
			return tenant
		}
	}
	return s.Tenant
}

// targetOf is a request's target. Envoy tells the query with the path, and a fragment
// never; whoever tells them apart must be understood to have told them.
func targetOf(http *authv3.AttributeContext_HttpRequest) string {
	target := http.GetPath()
	if query := http.GetQuery(); query != "" {
		if strings.Contains(target, "?") {
			return "" // which of the two is forwarded is not known, so that none is told
		}
		target += "?" + query
	}
	if fragment := http.GetFragment(); fragment != "" {
		target += "#" + fragment
	}
	return target
}

// headersOf are a request's headers, of which those of HTTP/2 that begin with a
// colon are told elsewhere. Envoy sends one of the two forms.
func headersOf(http *authv3.AttributeContext_HttpRequest) map[string]string {
	headers := http.GetHeaders()
	for name := range headers {
		if strings.HasPrefix(name, ":") {
			delete(headers, name)
		}
	}
	raw := http.GetHeaderMap().GetHeaders()
	if len(raw) == 0 {
		return headers
	}
	lines := make(map[string][]string, len(raw))
	for name, value := range headers {
		lines[name] = []string{value}
	}
	for _, header := range raw {
		name := strings.ToLower(header.GetKey())
		if strings.HasPrefix(name, ":") {
			continue
		}
		value := header.GetValue()
		if len(header.GetRawValue()) > 0 {
			value = string(header.GetRawValue())
		}
		lines[name] = append(lines[name], value)
	}
	joined := make(map[string]string, len(lines))
	for name, values := range lines {
		joined[name] = mapping.JoinHeader(name, values)
	}
	return joined
}

func (s *Server) allow(answer *mapping.Answer) *authv3.CheckResponse {
	allowed := &authv3.OkHttpResponse{Headers: make([]*corev3.HeaderValueOption, 0, len(answer.Headers))}
	for _, header := range answer.Headers {
		value := strings.Join(header.Values, ", ")
		if value == "" { // Envoy sets none that is empty, and would leave the client's
			allowed.HeadersToRemove = append(allowed.HeadersToRemove, header.Name)
			continue
		}
		allowed.Headers = append(allowed.Headers, setting(header.Name, value))
	}
	for _, name := range s.PolicyHeaders {
		if !answer.Sets(name) {
			allowed.HeadersToRemove = append(allowed.HeadersToRemove, name)
		}
	}
	return &authv3.CheckResponse{
		Status:       &rpcstatus.Status{Code: int32(codes.OK)},
		HttpResponse: &authv3.CheckResponse_OkResponse{OkResponse: allowed},
	}
}

func deny(answer *mapping.Answer) *authv3.CheckResponse {
	status := typev3.StatusCode(answer.Status)
	if _, known := typev3.StatusCode_name[int32(status)]; !known || status == typev3.StatusCode_Empty { // Envoy would take the answer for a failure
		status = typev3.StatusCode_Forbidden
	}
	denied := &authv3.DeniedHttpResponse{Status: &typev3.HttpStatus{Code: status}, Body: string(answer.Body)}
	for _, header := range answer.Headers {
		for i, value := range header.Values {
			option := setting(header.Name, value)
			if i > 0 {
				option.AppendAction = corev3.HeaderValueOption_APPEND_IF_EXISTS_OR_ADD
			}
			denied.Headers = append(denied.Headers, option)
		}
	}
	code := codes.PermissionDenied
	if status == typev3.StatusCode_Unauthorized {
		code = codes.Unauthenticated
	}
	return &authv3.CheckResponse{
		Status:       &rpcstatus.Status{Code: int32(code)},
		HttpResponse: &authv3.CheckResponse_DeniedResponse{DeniedResponse: denied},
	}
}

// setting sets a header in the place of any other.
func setting(name, value string) *corev3.HeaderValueOption {
	return &corev3.HeaderValueOption{
		Header:       &corev3.HeaderValue{Key: name, Value: value},
		AppendAction: corev3.HeaderValueOption_OVERWRITE_IF_EXISTS_OR_ADD,
	}
}
