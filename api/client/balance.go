package client

import (
	"context"
	"slices"

	"google.golang.org/grpc"
	"google.golang.org/grpc/balancer"
	"google.golang.org/grpc/balancer/endpointsharding"
	"google.golang.org/grpc/balancer/pickfirst"
	"google.golang.org/grpc/connectivity"
	"google.golang.org/grpc/resolver"
)

// balancing is the name by which gRPC knows how the client chooses between servers.
const balancing = "verdict_in_turn"

// gRPC finds what chooses by its name, and wants to be told of it before anything runs.
func init() { balancer.Register(inTurn{}) }

// An inTurn has the servers asked in turn that are ready, as round_robin of gRPC does,
// but for the pages of searches, which know each other at one server alone: all of them
// go to the same for as long as it is ready.
type inTurn struct{}

// Name implements balancer.Builder.
func (inTurn) Name() string { return balancing }

// Build implements balancer.Builder.
func (inTurn) Build(conn balancer.ClientConn, options balancer.BuildOptions) balancer.Balancer {
	each := balancer.Get(pickfirst.Name).Build
	return rotation{endpointsharding.NewBalancer(&choosing{ClientConn: conn}, options, each, endpointsharding.Options{})}
}

// A rotation looks after a connection to each server.
type rotation struct{ balancer.Balancer }

// UpdateClientConnState implements balancer.Balancer. A server is ready once it says so.
func (r rotation) UpdateClientConnState(state balancer.ClientConnState) error {
	return r.Balancer.UpdateClientConnState(balancer.ClientConnState{ResolverState: pickfirst.EnableHealthListener(state.ResolverState)})
}

// A choosing is told whenever it changes which servers are ready, each time after the
// other.
type choosing struct {
	balancer.ClientConn
	// one is the server that pages come from, if there was any.
	one *resolver.Endpoint
}

// UpdateState implements balancer.ClientConn.
func (c *choosing) UpdateState(state balancer.State) {
	if state.ConnectivityState == connectivity.Ready {
		state.Picker = picker{all: state.Picker, one: c.choose(endpointsharding.ChildStatesFromPicker(state.Picker))}
	}
	c.ClientConn.UpdateState(state)
}

// choose is the server that pages come from: the one before, or else any that is ready.
func (c *choosing) choose(servers []endpointsharding.ChildState) balancer.Picker {
	isReady := func(s endpointsharding.ChildState) bool { return s.State.ConnectivityState == connectivity.Ready }
	at := slices.IndexFunc(servers, func(s endpointsharding.ChildState) bool { return isReady(s) && c.isOne(s.Endpoint) })
	if at < 0 {
		at = slices.IndexFunc(servers, isReady) // they are in no order, so that clients choose differently
	}
	c.one = &servers[at].Endpoint
	return servers[at].State.Picker
}

func (c *choosing) isOne(server resolver.Endpoint) bool {
	return c.one != nil && slices.EqualFunc(c.one.Addresses, server.Addresses, func(a, b resolver.Address) bool { return a.Addr == b.Addr })
}

// A picker chooses the server of a call.
type picker struct{ all, one balancer.Picker }

// Pick implements balancer.Picker.
func (p picker) Pick(call balancer.PickInfo) (balancer.PickResult, error) {
	if call.Ctx.Value(ofPages{}) != nil {
		return p.one.Pick(call)
	}
	return p.all.Pick(call)
}

// ofPages marks the contexts of calls for pages.
type ofPages struct{}

// A paging is a connection on which all calls go to one server.
type paging struct{ grpc.ClientConnInterface }

// Invoke implements grpc.ClientConnInterface.
func (p paging) Invoke(ctx context.Context, method string, request, response any, options ...grpc.CallOption) error {
	return p.ClientConnInterface.Invoke(context.WithValue(ctx, ofPages{}, true), method, request, response, options...)
}
