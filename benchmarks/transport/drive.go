package main

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/mem"
	"google.golang.org/protobuf/proto"
)

const (
	inFlight    = 64
	connections = 2
)

// A load is a method and the messages that it is called with, in turn. They are
// encoded beforehand, so that the caller leaves the machine to the server.
type load struct {
	name     string
	method   string
	messages [][]byte
	// decisions is how many decisions a call asks for.
	decisions int
}

func newLoad(name, method string, decisions int, messages []proto.Message) (load, error) {
	l := load{name: name, method: method, decisions: decisions}
	for _, message := range messages {
		data, err := proto.Marshal(message)
		if err != nil {
			return load{}, err
		}
		l.messages = append(l.messages, data)
	}
	return l, nil
}

// A caller is a set of connections to one server.
type caller struct {
	address string
	conns   []*grpc.ClientConn
}

// dial connects, without TLS unless an option says otherwise.
func dial(address string, options ...grpc.DialOption) (*caller, error) {
	c := &caller{address: address}
	for range connections {
		conn, err := grpc.NewClient(address, append([]grpc.DialOption{grpc.WithTransportCredentials(insecure.NewCredentials())}, options...)...)
		if err != nil {
			return nil, err
		}
		c.conns = append(c.conns, conn)
	}
	return c, nil
}

func (c *caller) close() {
	for _, conn := range c.conns {
		conn.Close()
	}
}

// A drive keeps inFlight calls under way for a turn, and returns how many were
// answered. None is under way any more when it returns.
type drive func(ctx context.Context, turn time.Duration) (calls int, err error)

// with is a drive of a load's calls.
func (c *caller) with(l load) drive {
	return driveOf(func(ctx context.Context, worker, next int) error {
		var answer encoded
		err := c.conns[worker%connections].Invoke(ctx, l.method, encoded(l.messages[next%len(l.messages)]), &answer, grpc.ForceCodecV2(asIs{}))
		if err != nil {
			return fmt.Errorf("%s: %w", l.method, err)
		}
		return nil
	})
}

// driveOf is a drive whose n-th call a function makes.
func driveOf(call func(ctx context.Context, worker, n int) error) drive {
	return func(ctx context.Context, turn time.Duration) (int, error) {
		ctx, cancel := context.WithCancelCause(ctx)
		defer cancel(nil)
		var answered atomic.Int64
		var callers sync.WaitGroup
		end := time.Now().Add(turn)
		for i := range inFlight {
			callers.Go(func() {
				for next := i; time.Now().Before(end); next += inFlight {
					if err := call(ctx, i, next); err != nil {
						cancel(err)
						return
					}
					answered.Add(1)
				}
			})
		}
		callers.Wait()
		return int(answered.Load()), context.Cause(ctx)
	}
}

// An encoded is a message on the wire.
type encoded []byte

// asIs is a codec that leaves messages as they are on the wire, and forgets the
// answers.
type asIs struct{}

func (asIs) Name() string { return "proto" }

func (asIs) Marshal(v any) (mem.BufferSlice, error) {
	return mem.BufferSlice{mem.SliceBuffer(v.(encoded))}, nil
}

func (asIs) Unmarshal(mem.BufferSlice, any) error { return nil }
