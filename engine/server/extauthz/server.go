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

	"github.com/verdictpdp/verdict/engine/caller"
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
type Server struct{ Options }

// Operations are what the methods of the service do, by their full names.
func Operations() map[string]caller.Operation {
	return map[string]caller.Operation{authv3.Authorization_Check_FullMethodName: caller.Check}
}

// New makes a Server.
func New(o Options) *Server { return &Server{o} }

// Register makes the server part of a gRPC server, which needs the codec of package
// wire.
func (s *Server) Register(registrar grpc.ServiceRegistrar) {
	described := authv3.Authorization_ServiceDesc
	described.HandlerType = (*any)(nil)
	described.Methods = []grpc.MethodDesc{{MethodName: "Check", Handler: s.handle}}
	registrar.RegisterService(&described, s)
}

// handle receives a check and answers it.
func (s *Server) handle(_ any, ctx context.Context, receive func(any) error, interceptor grpc.UnaryServerInterceptor) (any, error) {
	q := new(question)
	if err := receive(q); err != nil {
		return nil, err
	}
	q.message.Tenant = s.tenant(&q.message)
	answer := func(ctx context.Context, q any) (any, error) { return s.check(ctx, q.(*question)) }
	if interceptor == nil {
		return answer(ctx, q)
	}
	return interceptor(ctx, q, &grpc.UnaryServerInfo{Server: s, FullMethod: authv3.Authorization_Check_FullMethodName}, answer)
}

// check answers one check, of the tenant in its message. Its errors are the Answerer's.
func (s *Server) check(ctx context.Context, q *question) (*authv3.CheckResponse, error) {
	answer, err := s.Answerer.Answer(ctx, &q.message)
	if err != nil {
		return nil, err
	}
	if answer.Allowed() {
		return s.allow(&answer), nil
	}
	return deny(&answer), nil
}

// tenant is whose policy answers: the one that the context extension names, that of
// the host, or the server's.
func (s *Server) tenant(m *mapping.Message) string {
	if m.Tenant != "" {
		return m.Tenant
	}
	if len(s.Hosts) > 0 {
		if tenant := s.Hosts[mapping.HostName(m.Host)]; tenant != "" {
			return tenant
		}
	}
	return s.Tenant
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
