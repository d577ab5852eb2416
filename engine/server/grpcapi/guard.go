package grpcapi

import (
	"context"
	"crypto/rand"
	"fmt"
	"runtime/debug"
	"sync/atomic"
	"time"

	"go.uber.org/zap"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/mem"
	grpcstatus "google.golang.org/grpc/status"
	"google.golang.org/grpc/tap"

	"github.com/verdictpdp/verdict/api/authz"
	"github.com/verdictpdp/verdict/engine/intake"
	"github.com/verdictpdp/verdict/engine/server/status"
	"github.com/verdictpdp/verdict/engine/server/wire"
)

// A guard stands between every method and the wire: it has callers shown to the
// door who may not call, turns errors into statuses and a panic into INTERNAL, so that
// the next call is served.
type guard struct {
	logger *zap.Logger
	door   *door
	intake *intake.Intake
	memory *memory
	// entrance is where calls are counted.
	entrance *entrance
	codec    wire.Codec
	// underWay counts the calls in flight.
	underWay atomic.Int64
	// meters are told of the calls of their methods.
	meters map[string]Meter
}

// enter is the door of a method with one request, before that is received.
func (g *guard) enter(ctx context.Context, method string) error {
	a := arrivalOf(ctx)
	if refused := a.err(); refused != nil {
		err := g.entrance.refuse(refused)
		g.meter(method).Called(grpcstatus.Code(err), refused, 0)
		return err
	}
	cause := g.door.enter(ctx, method)
	if cause == nil {
		return nil
	}
	a.leave()
	err := g.status(method, cause)
	g.meter(method).Called(grpcstatus.Code(err), cause, 0)
	return err
}

func (g *guard) unary(ctx context.Context, request any, info *grpc.UnaryServerInfo, handle grpc.UnaryHandler) (response any, err error) {
	g.underWay.Add(1)
	defer g.underWay.Add(-1)
	start := time.Now()
	defer func() {
		if cause := recover(); cause != nil {
			err = g.panicked(info.FullMethod, cause)
		}
		cause := err
		err = g.status(info.FullMethod, err)
		g.meter(info.FullMethod).Called(grpcstatus.Code(err), cause, time.Since(start))
	}()
	a := arrivalOf(ctx)
	defer a.leave()
	tenant := tenantIn(request)
	if err := g.door.admitIn(ctx, info.FullMethod, tenant); err != nil {
		return nil, err
	}
	a.isOf(g.entrance.door.Of(tenantOf(tenant)))
	if longMethods[info.FullMethod] {
		a.leave()
	}
	if response, err = handle(ctx, request); err != nil {
		return nil, err
	}
	return g.announce(ctx, response)
}

func (g *guard) stream(server any, stream grpc.ServerStream, info *grpc.StreamServerInfo, handle grpc.StreamHandler) (err error) {
	g.underWay.Add(1)
	defer g.underWay.Add(-1)
	start := time.Now()
	defer func() {
		if cause := recover(); cause != nil {
			err = g.panicked(info.FullMethod, cause)
		}
		cause := err
		err = g.status(info.FullMethod, err)
		g.meter(info.FullMethod).Called(grpcstatus.Code(err), cause, time.Since(start))
	}()
	defer arrivalOf(stream.Context()).leave() // one of a method that there is none of is counted by its service
	if err := g.door.enter(stream.Context(), info.FullMethod); err != nil {
		return err
	}
	ctx, end := untilExpiry(stream.Context())
	defer end()
	err = handle(server, &admittedStream{announcing: announcing{wire.Stream{ServerStream: stream, Unpack: g.memory.unpack}, g}, ctx: ctx, door: g.door, method: info.FullMethod})
	return ofExpiry(ctx, err)
}

// noMethod answers calls of methods that there are none of, once their callers are known.
func noMethod(_ any, stream grpc.ServerStream) error {
	method, _ := grpc.MethodFromServerStream(stream)
	return grpcstatus.Errorf(codes.Unimplemented, "there is no method %s", authz.Quote(method))
}

// tap stands before a call is read.
func (g *guard) tap(ctx context.Context, info *tap.Info) (context.Context, error) {
	ctx, err := g.entrance.arrive(ctx, info)
	if err != nil {
		return ctx, err
	}
	held, err := g.intake.Tap(ctx, info)
	if err != nil {
		arrivalOf(ctx).leave()
		if !g.entrance.mayRefuse(ctx) {
			g.intake.Refuse(ctx)
			return ctx, nil
		}
		return ctx, g.status(info.FullMethodName, err)
	}
	return held, nil
}

// An announcing is a stream whose answers the intake is told of.
type announcing struct {
	wire.Stream
	guard *guard
}

// SendMsg sends an answer.
func (a announcing) SendMsg(answer any) error {
	ready, err := a.guard.announce(a.Context(), answer)
	if err != nil {
		return err
	}
	return a.Stream.SendMsg(ready)
}

// announce tells the intake how large an answer is, and makes it what goes to the wire, a
// wire.Answer.
func (g *guard) announce(ctx context.Context, answer any) (any, error) {
	if ready, is := answer.(wire.Answer); is && mem.BufferSlice(ready).Len() <= large {
		g.intake.Answering(ctx, mem.BufferSlice(ready).Len())
		return answer, nil // without making another interface of it
	}
	data, err := g.codec.Marshal(answer)
	if err != nil {
		return nil, err
	}
	data = fitted(data)
	g.intake.Answering(ctx, data.Len())
	return wire.Answer(data), nil
}

// large is the size of answers from which on gRPC's own buffers may be of more than 4
// times it.
const large = 32 << 10

// fitted is data in a buffer of its size, if it is in one of gRPC's that is much larger.
func fitted(data mem.BufferSlice) mem.BufferSlice {
	if len(data) != 1 || data.Len() <= large || cap(data[0].ReadOnlyData()) < 2*data.Len() {
		return data
	}
	defer data.Free()
	return mem.BufferSlice{mem.SliceBuffer(data.Materialize())}
}

// A panicError is a panic that was logged.
type panicError struct {
	reference string
}

func (e panicError) Error() string { return "panic, logged under " + e.reference }

// panicked logs a panic. It must be called where it was recovered, so that the
// stack shows where it came from.
func (g *guard) panicked(method string, cause any) error {
	err := panicError{reference: newReference()}
	g.logger.Error("a call panicked",
		zap.String("method", method),
		zap.String("reference", err.reference),
		zap.String("panic", fmt.Sprint(cause)),
		zap.ByteString("stack", debug.Stack()))
	return err
}

// status is the status of err. One that is a status already, of the stream
// itself, is left as it is.
func (g *guard) status(method string, err error) error {
	if err == nil {
		return nil
	}
	if _, is := grpcstatus.FromError(err); is {
		return err
	}
	return g.public(method, err).GRPC().Err()
}

// public is what a caller may read of err. Internal errors are logged.
func (g *guard) public(method string, err error) status.Public {
	if panicked, is := err.(panicError); is {
		return status.Of(err, panicked.reference)
	}
	reference := newReference()
	public := status.Of(err, reference)
	if public.Kind == authz.Internal {
		g.logger.Error("a call failed",
			zap.String("method", method),
			zap.String("reference", reference),
			zap.Error(err))
	}
	return public
}

// newReference names a failure in the log.
func newReference() string { return "request " + rand.Text()[:12] }
