package grpcapi

import (
	"context"

	"google.golang.org/grpc"
	"google.golang.org/grpc/encoding"
	encodingproto "google.golang.org/grpc/encoding/proto"
	"google.golang.org/grpc/mem"
	"google.golang.org/protobuf/proto"

	"github.com/verdictpdp/verdict/engine/server/status"
)

// A message that cannot be read, invalid UTF-8 in a string for example, is the
// caller's mistake. grpc-go answers it with INTERNAL from within RecvMsg, where
// no interceptor can change it. So messages are received into an envelope,
// which the codec fills or marks as malformed, and never fails.

// An envelope is a message to be received, and why it cannot be read.
type envelope struct {
	message   any
	malformed error
}

// lenientCodec is grpc's codec for protobuf, which also receives envelopes, and
// sends what holds text that is no UTF-8.
type lenientCodec struct {
	encoding.CodecV2
}

func newLenientCodec() lenientCodec {
	return lenientCodec{encoding.GetCodecV2(encodingproto.Name)}
}

func (c lenientCodec) Unmarshal(data mem.BufferSlice, v any) error {
	e, is := v.(*envelope)
	if !is {
		return c.CodecV2.Unmarshal(data, v)
	}
	if e.malformed = checkParts(e.message, data); e.malformed != nil {
		return nil
	}
	if err := c.CodecV2.Unmarshal(data, e.message); err != nil {
		e.malformed = unreadable(e.message, data.Materialize(), err)
	}
	return nil
}

// Marshal puts U+FFFD in the place of what is not valid UTF-8, as encoders of
// JSON do. A policy can make such text, and a file's name can be such.
func (c lenientCodec) Marshal(v any) (mem.BufferSlice, error) {
	data, err := c.CodecV2.Marshal(v)
	message, is := v.(proto.Message)
	if err == nil || !is {
		return data, err
	}
	mended := proto.Clone(message)
	mendText(mended.ProtoReflect())
	return c.CodecV2.Marshal(mended)
}

// reportingStream receives messages in envelopes.
type reportingStream struct {
	grpc.ServerStream
}

func (s reportingStream) RecvMsg(message any) error {
	e := envelope{message: message}
	if err := s.ServerStream.RecvMsg(&e); err != nil {
		return err
	}
	return e.malformed
}

// reporting registers services whose methods with one request receive it in an
// envelope. Streams do by reportingStream.
type reporting struct {
	*grpc.Server
}

func (r reporting) RegisterService(service *grpc.ServiceDesc, implementation any) {
	wrapped := *service
	wrapped.Methods = make([]grpc.MethodDesc, len(service.Methods))
	for i, method := range service.Methods {
		wrapped.Methods[i] = grpc.MethodDesc{MethodName: method.MethodName, Handler: receiveEnveloped(method.Handler)}
	}
	r.Server.RegisterService(&wrapped, implementation)
}

func receiveEnveloped(handle grpc.MethodHandler) grpc.MethodHandler {
	return func(server any, ctx context.Context, receive func(any) error, interceptor grpc.UnaryServerInterceptor) (any, error) {
		return handle(server, ctx, func(message any) error {
			e := envelope{message: message}
			if err := receive(&e); err != nil {
				return err
			}
			if e.malformed != nil { // no interceptor sees this one
				return status.Of(e.malformed, "").GRPC().Err()
			}
			return nil
		}, interceptor)
	}
}
