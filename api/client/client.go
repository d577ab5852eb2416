package client

import (
	"context"
	"sync"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/protobuf/proto"

	"github.com/verdictpdp/verdict/api/authz"
	verdictv1 "github.com/verdictpdp/verdict/api/verdict/v1"
)

// A Client asks one server, or several alike. It is safe for use by many
// goroutines at once, and meant to be made once and shared.
type Client struct {
	// target is the server as it was given to New.
	target  string
	tenant  string
	timeout time.Duration
	// bearer is nil where no token is sent.
	bearer *bearer
	conn   *grpc.ClientConn
	access verdictv1.AccessServiceClient
	// pages asks for the pages of searches, which have to come from one server.
	pages verdictv1.AccessServiceClient
	// gather is nil where every check goes alone.
	gather *coalescer
	// attempts is how often a call is made at most, again what is spent on those that
	// were refused for overload, and throttle what keeps others from being made.
	attempts int
	again    budget
	throttle throttle
	closing  sync.Once
	closed   chan struct{}
}

// CheckOptions say how requests are decided. The zero value asks for the latest
// revision of the directory.
type CheckOptions struct {
	// Consistency says which directory revision is read.
	Consistency authz.Consistency
	// Explain asks for an explanation, which makes a decision several times
	// slower. A check that asks for one goes alone.
	Explain bool
}

// Check asks for one decision, on the latest revision of the directory. A request
// without a tenant is one of the client's.
//
// An error means that there is no decision, and so a deny; the Decision is then
// zero. A policy that failed while it ran is a Decision with an Err, which denies
// as well.
//
// Errors are of kind Invalid for a request that can never be decided, NotFound
// for a tenant that the server does not have, Unavailable where no server can be
// reached or is ready, Overloaded where there is more to do than can be done,
// DeadlineExceeded and Canceled for the context's end, and Unauthenticated or
// PermissionDenied where the server does not accept the caller.
func (c *Client) Check(ctx context.Context, request authz.Request) (authz.Decision, error) {
	return c.CheckWith(ctx, request, CheckOptions{})
}

// CheckWith is Check with options. Its errors are also of kind FailedPrecondition
// where an exact revision cannot be read, and DeadlineExceeded where one that is
// waited for does not come in time: who waits for long gives the context a
// deadline, for the client's own is short.
func (c *Client) CheckWith(ctx context.Context, request authz.Request, options CheckOptions) (authz.Decision, error) {
	message, err := c.messageOf(&request, options)
	if err != nil {
		return authz.Decision{}, err
	}
	response, err := inTime(ctx, c, func(ctx context.Context) (*verdictv1.CheckAccessResponse, error) {
		if c.gather == nil || options.Explain || hasMetadata(ctx) {
			return c.access.CheckAccess(ctx, message)
		}
		return c.gather.check(ctx, message, proto.Size(message))
	})
	if err != nil {
		return authz.Decision{}, err
	}
	return c.decisionOf(response)
}

// Allowed says whether a subject may do an action on a resource, both given as
// type:id, such as user:mina and patient_record:p-102, in the client's tenant.
// Who does not look at the error is safe: Allowed is false then.
//
// It is also false, without an error, where the policy allows under obligations,
// which this form cannot tell of (XACML 3.0, section 7.18): ask Check where
// the policy has them.
func (c *Client) Allowed(ctx context.Context, subject, action, resource string) (bool, error) {
	who, err := authz.ParseEntityRef(subject)
	if err != nil {
		return false, authz.InField("subject", err)
	}
	what, err := authz.ParseEntityRef(resource)
	if err != nil {
		return false, authz.InField("resource", err)
	}
	decision, err := c.Check(ctx, authz.Request{
		Subject:  authz.Subject{Type: who.Type, ID: who.ID},
		Action:   authz.Action{Name: action},
		Resource: authz.Resource{Type: what.Type, ID: what.ID},
	})
	if err != nil {
		return false, err
	}
	if decision.Err != nil {
		return false, decision.Err
	}
	return decision.Allowed && len(decision.Obligations) == 0, nil
}

// Conn is the connection, for the services that the client has no calls for, such
// as the directory. It is closed with the client. Calls on it are tried again
// only where gRPC knows that the server has not seen them.
func (c *Client) Conn() grpc.ClientConnInterface { return c.conn }

// Close ends what is under way, which fails with kind Unavailable, and returns
// when nothing of the client runs any more. Further calls do nothing.
func (c *Client) Close() error {
	var err error
	c.closing.Do(func() {
		close(c.closed)
		if c.gather != nil {
			c.gather.close()
		}
		err = c.conn.Close()
	})
	return err
}

// inTime makes a call within its time, unless it is hopeless, and again when the server
// says that it may be where there was too much.
func inTime[Response any](ctx context.Context, c *Client, call func(context.Context) (Response, error)) (response Response, err error) {
	ctx, cancel := c.bounded(ctx)
	defer cancel()
	for attempt := 1; ; attempt++ {
		if err := c.hopeless(ctx); err != nil {
			return response, err
		}
		if !c.throttle.lets(time.Now()) {
			return response, c.failure(ctx, errThrottled)
		}
		answer, err := call(ctx)
		if err == nil {
			c.throttle.ended(time.Now(), false)
			c.again.earn()
			return answer, nil
		}
		after, overloaded := overload(err)
		c.throttle.ended(time.Now(), overloaded)
		if !overloaded || attempt >= c.attempts || !c.again.spend() || !c.wait(ctx, after) {
			return response, c.failure(ctx, err)
		}
	}
}

// wait waits until a call may be made again; false where its time would be over, or is.
func (c *Client) wait(ctx context.Context, after time.Duration) bool {
	if deadline, has := ctx.Deadline(); has && time.Until(deadline) <= after {
		return false
	}
	timer := time.NewTimer(after)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-ctx.Done():
	case <-c.closed:
	}
	return false
}

// bounded gives a context without a deadline the client's.
func (c *Client) bounded(ctx context.Context) (context.Context, context.CancelFunc) {
	if _, has := ctx.Deadline(); has {
		return ctx, func() {}
	}
	return context.WithTimeout(ctx, c.timeout)
}

// hopeless is the error of a call that is not worth making.
func (c *Client) hopeless(ctx context.Context) error {
	if err := ctx.Err(); err != nil {
		return c.failure(ctx, err)
	}
	if c.isClosed() {
		return c.failure(ctx, errClosed)
	}
	if err := c.bearer.missing(ctx); err != nil {
		return c.failure(ctx, err)
	}
	return nil
}

func (c *Client) isClosed() bool {
	select {
	case <-c.closed:
		return true
	default:
		return false
	}
}
