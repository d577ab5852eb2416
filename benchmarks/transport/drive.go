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
type caller struct{ conns []*grpc.ClientConn }

func dial(address string) (*caller, error) {
	c := &caller{}
	for range connections {
		conn, err := grpc.NewClient(address, grpc.WithTransportCredentials(insecure.NewCredentials()))
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

// drive keeps inFlight calls under way for a turn, and returns how many were
// answered. None is under way any more when it returns.
func (c *caller) drive(ctx context.Context, l load, turn time.Duration) (calls int, err error) {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	var answered atomic.Int64
	var callers sync.WaitGroup
	end := time.Now().Add(turn)
	for i := range inFlight {
		callers.Go(func() {
			conn := c.conns[i%connections]
			for next := i; time.Now().Before(end); next += inFlight {
				var answer encoded
				if err := conn.Invoke(ctx, l.method, encoded(l.messages[next%len(l.messages)]), &answer, grpc.ForceCodecV2(asIs{})); err != nil {
					cancel(fmt.Errorf("%s: %w", l.method, err))
					return
				}
				answered.Add(1)
			}
		})
	}
	callers.Wait()
	return int(answered.Load()), context.Cause(ctx)
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
