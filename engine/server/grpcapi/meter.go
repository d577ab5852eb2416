package grpcapi

import (
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/stats"
)

// A Meter is told of the calls of one method.
type Meter interface {
	// Called is told of a call that ended with a status, because of an error where it
	// is not OK. It must not wait.
	Called(code codes.Code, err error, took time.Duration)
}

// OtherMethods stands for all methods that there are none of, whatever they are called.
const OtherMethods = "other"

// metersOf are the meters of all methods of a server, by their full names, and that of
// the others.
func metersOf(server *grpc.Server, make func(method string, streams bool) Meter) map[string]Meter {
	meters := map[string]Meter{}
	if make == nil {
		return meters
	}
	meters[OtherMethods] = make(OtherMethods, true)
	for service, described := range server.GetServiceInfo() {
		for _, method := range described.Methods {
			name := "/" + service + "/" + method.Name
			meters[name] = make(name, method.IsClientStream || method.IsServerStream)
		}
	}
	return meters
}

// noMeter is told of calls where nobody else is.
type noMeter struct{}

func (noMeter) Called(codes.Code, error, time.Duration) {}

// meter is that of a method.
func (g *guard) meter(method string) Meter {
	if meter := g.meters[method]; meter != nil {
		return meter
	}
	if meter := g.meters[OtherMethods]; meter != nil {
		return meter
	}
	return noMeter{}
}

// UnderWay is how many calls are being answered, streams included.
func (s *Server) UnderWay() int64 { return s.guard.underWay.Load() }

// observedBy has a handler told of all that happens to calls, if there is one.
func observedBy(handler stats.Handler) grpc.ServerOption {
	if handler == nil {
		return grpc.EmptyServerOption{}
	}
	return grpc.StatsHandler(handler)
}
