package pep

import (
	"context"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/verdictpdp/verdict/api/authz"
)

// Methods are the functions that make requests of calls, by the full name of the
// method, such as /shop.v1.Orders/GetOrder. message is what the caller sent.
type Methods map[string]func(ctx context.Context, message any) (authz.Request, error)

// UnaryServerInterceptor lets a server's handlers run for what is allowed. Streams go
// past it: a server needs StreamServerInterceptor as well, with nil for its streams
// where it has none.
func (e *Enforcer) UnaryServerInterceptor(methods Methods) grpc.UnaryServerInterceptor {
	return func(ctx context.Context, message any, info *grpc.UnaryServerInfo, handle grpc.UnaryHandler) (any, error) {
		ctx, err := e.unary(ctx, methods, info.FullMethod, message)
		if err != nil {
			return nil, err
		}
		return handle(ctx, message)
	}
}

// UnaryClientInterceptor lets calls of others go out that are allowed.
func (e *Enforcer) UnaryClientInterceptor(methods Methods) grpc.UnaryClientInterceptor {
	return func(ctx context.Context, method string, message, reply any, conn *grpc.ClientConn, invoke grpc.UnaryInvoker, options ...grpc.CallOption) error {
		ctx, err := e.unary(ctx, methods, method, message)
		if err != nil {
			return err
		}
		return invoke(ctx, method, message, reply, conn, options...)
	}
}

func (e *Enforcer) unary(ctx context.Context, methods Methods, method string, message any) (context.Context, error) {
	if e.unchecked[method] {
		return ctx, nil
	}
	var ask func() (authz.Request, error)
	if requestOf := methods[method]; requestOf != nil {
		ask = func() (authz.Request, error) { return requestOf(ctx, message) }
	}
	admitted, refusal := e.admit(ctx, method, ask)
	if refusal != nil {
		return nil, e.statusOf(ctx, refusal)
	}
	return admitted, nil
}

// statusOf is the status of a refusal, which is never OK.
func (e *Enforcer) statusOf(ctx context.Context, refusal *Refusal) error {
	st := e.status(ctx, refusal)
	if st.Code() == codes.OK {
		st = status.New(codes.PermissionDenied, refusal.Public())
	}
	return st.Err()
}

func defaultStatus(_ context.Context, refusal *Refusal) *status.Status {
	if refusal.Undecided() {
		return status.New(codes.Unavailable, refusal.Public())
	}
	return status.New(codes.PermissionDenied, refusal.Public())
}
