package grpcapi

import (
	"context"
	"net"
	"strings"
	"sync/atomic"
	"time"

	"google.golang.org/grpc/peer"
	grpcstatus "google.golang.org/grpc/status"
	"google.golang.org/grpc/tap"

	verdictv1 "github.com/verdictpdp/verdict/api/verdict/v1"
	"github.com/verdictpdp/verdict/engine/admission"
	"github.com/verdictpdp/verdict/engine/caller"
	"github.com/verdictpdp/verdict/engine/server/status"
)

// Calls are counted, at the Door of package admission, from when their headers have come,
// long before their messages were read and their methods run, for that is what they wait
// for while the processors are busy. Whose a call is stands in its message; so it is taken
// to be of the tenant that its connection asked for last.
//
// What is refused is so right there, for half of what it costs to answer it, or, where
// gRPC would keep too much of it, before its message is decoded.

// An entrance is where calls come in.
type entrance struct {
	door     *admission.Door // nil for one that is always open
	retained retained
	// status is that of the latest refusal.
	status atomic.Pointer[refusal]
	meter  func(method string) Meter
}

// A refusal is an error of the door and its status.
type refusal struct{ cause, status error }

// A connection is what is known of one.
type connection struct {
	net.Conn
	address remoteAddr
	// share is of the tenant that was asked for last, nil before.
	share atomic.Pointer[admission.Share]
	// line is what was not read yet, of which unread tells how much that is. Both are of
	// the goroutine that reads.
	line   admission.Line
	unread func() int
}

// A remoteAddr leads from the peer.Peer of a call to its connection.
type remoteAddr struct {
	net.Addr
	connection *connection
}

// listen follows the connections that are accepted.
func (e *entrance) listen(below net.Listener) net.Listener {
	if e.door == nil {
		return below
	}
	return entranceListener{below, e.door}
}

type entranceListener struct {
	net.Listener
	door *admission.Door
}

// Accept implements net.Listener.
func (l entranceListener) Accept() (net.Conn, error) {
	below, err := l.Listener.Accept()
	if err != nil {
		return nil, err
	}
	c := &connection{Conn: below, line: l.door.Line(), unread: unreadOf(caller.SocketOf(below))}
	c.address = remoteAddr{below.RemoteAddr(), c}
	return c, nil
}

// RemoteAddr implements net.Conn.
func (c *connection) RemoteAddr() net.Addr { return &c.address }

// NetConn is the connection below, as that of tls.Conn.
func (c *connection) NetConn() net.Conn { return c.Conn }

// Read implements net.Conn. Of what comes faster than it can be answered, it leaves the
// rest where it is until the others were read, so that the other side has to wait.
func (c *connection) Read(p []byte) (int, error) {
	c.line.Wait()
	p = p[:min(len(p), admission.PieceBytes)]
	n, err := c.Conn.Read(p)
	unread := 0
	if n == len(p) {
		unread = c.unread()
	}
	c.line.Read(time.Now(), n, unread)
	return n, err
}

// counted are the methods whose calls are.
func counted(method string) bool {
	switch {
	case method == verdictv1.AccessService_StreamCheckAccess_FullMethodName: // whose messages are
		return false
	case strings.HasPrefix(method, "/"+verdictv1.AccessService_ServiceDesc.ServiceName+"/"):
		return true
	}
	return strings.HasPrefix(method, "/envoy.service.auth.")
}

// arrive is called with the headers of each call, by the goroutine that reads its
// connection.
func (e *entrance) arrive(ctx context.Context, info *tap.Info) (context.Context, error) {
	a := &arrival{Context: caller.Context{Context: ctx}, authorization: info.Header["authorization"]}
	if p, known := peer.FromContext(ctx); known {
		if who, is := p.AuthInfo.(visitor); is {
			a.visitor = who.connection
		}
		if address, followed := p.Addr.(*remoteAddr); followed {
			a.connection = address.connection
			a.connection.line.Begin(info.FullMethodName == streamMethod)
		}
	}
	if e.door == nil || !counted(info.FullMethodName) {
		return a, nil
	}
	if a.connection == nil {
		a.call, a.refused = e.door.Arrive(nil, false)
	} else {
		a.call, a.refused = e.door.Arrive(a.connection.share.Load(), a.connection.line.Stands())
	}
	if a.refused == nil {
		return a, nil
	}
	if e.mayRefuse(ctx) {
		err := e.refuse(a.refused)
		e.meter(info.FullMethodName).Called(grpcstatus.Code(err), a.refused, 0)
		return ctx, err
	}
	return a, nil
}

// mayRefuse reports whether a call may be refused before gRPC begins it.
func (e *entrance) mayRefuse(ctx context.Context) bool {
	deadline, bounded := ctx.Deadline()
	now := time.Now()
	return !bounded || e.retained.keep(now, deadline.Sub(now))
}

// refuse is the status of an error, which the door gives to many.
func (e *entrance) refuse(cause error) error {
	latest := e.status.Load()
	if latest == nil || latest.cause != cause {
		latest = &refusal{cause, status.Of(cause, "").GRPC().Err()}
		e.status.Store(latest)
	}
	return latest.status
}

// An arrival is the context of a call, with all that is known of it, in one piece: it is
// made for each.
type arrival struct {
	caller.Context
	// visitor is what is known of who is at the other end of the connection, and
	// authorization the values of the header. The visitor is nil for one that has not
	// come through the doorway.
	visitor       *caller.Connection
	authorization []string
	connection    *connection    // nil where it is not known
	call          admission.Call // the zero one where the call is not counted
	share         *share         // of the memory for messages; nil for one that needs none
	// refused is why it was; nil where it was let in.
	refused error
}

type arrivalKey struct{}

// Value implements context.Context.
func (a *arrival) Value(key any) any {
	if key == (arrivalKey{}) {
		return a
	}
	return a.Context.Value(key)
}

// arrivalOf is that of a call; nil for one that has not come through the tap.
func arrivalOf(ctx context.Context) *arrival {
	a, _ := ctx.Value(arrivalKey{}).(*arrival)
	return a
}

// err is why the call was refused.
func (a *arrival) err() error {
	if a == nil {
		return nil
	}
	return a.refused
}

// leave says that the call is answered, or takes a turn for long work.
func (a *arrival) leave() {
	if a != nil {
		a.call.Leave()
		a.call = admission.Call{}
	}
}

// giveBack gives back the memory that the call's message has, for the call is to wait.
func (a *arrival) giveBack() {
	if a != nil && a.share != nil {
		a.share.giveBack()
	}
}

// isOf says whose the call is, which was read meanwhile, where it is counted.
func (a *arrival) isOf(share *admission.Share) {
	if a != nil && a.connection != nil && share != nil && a.call != (admission.Call{}) && a.connection.share.Load() != share {
		a.connection.share.Store(share)
	}
}

// longMethods take turns for what they do.
var longMethods = map[string]bool{
	verdictv1.AccessService_BatchCheckAccess_FullMethodName: true,
	verdictv1.AccessService_SearchSubjects_FullMethodName:   true,
	verdictv1.AccessService_SearchResources_FullMethodName:  true,
	verdictv1.AccessService_SearchActions_FullMethodName:    true,
	verdictv1.AccessService_PlanResources_FullMethodName:    true,
}
