package grpcapi

import (
	"context"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	healthpb "google.golang.org/grpc/health/grpc_health_v1"
	grpcstatus "google.golang.org/grpc/status"

	verdictv1 "github.com/verdictpdp/verdict/api/verdict/v1"
)

// healthInterval is how often a watch of the health looks whether it changed.
const healthInterval = time.Second

// A healthServer is the standard health service. It asks for readiness when it
// is asked, so that nobody has to tell it.
type healthServer struct {
	healthpb.UnimplementedHealthServer
	ready    func() error
	closing  context.Context
	interval time.Duration
}

func newHealthServer(ready func() error, closing context.Context) *healthServer {
	return &healthServer{ready: ready, closing: closing, interval: healthInterval}
}

// healthServices are the names under which the health can be asked for; the
// empty one is the server's as a whole.
func healthServices() []string {
	return []string{
		"",
		verdictv1.AccessService_ServiceDesc.ServiceName,
		verdictv1.DirectoryService_ServiceDesc.ServiceName,
		verdictv1.PolicyService_ServiceDesc.ServiceName,
	}
}

// status is the health of a service, SERVICE_UNKNOWN for one that is not here.
func (s *healthServer) status(service string) healthpb.HealthCheckResponse_ServingStatus {
	for _, name := range healthServices() {
		if name != service {
			continue
		}
		if s.closing.Err() != nil || s.ready() != nil {
			return healthpb.HealthCheckResponse_NOT_SERVING
		}
		return healthpb.HealthCheckResponse_SERVING
	}
	return healthpb.HealthCheckResponse_SERVICE_UNKNOWN
}

func (s *healthServer) Check(_ context.Context, request *healthpb.HealthCheckRequest) (*healthpb.HealthCheckResponse, error) {
	status := s.status(request.GetService())
	if status == healthpb.HealthCheckResponse_SERVICE_UNKNOWN {
		return nil, grpcstatus.Error(codes.NotFound, "unknown service")
	}
	return &healthpb.HealthCheckResponse{Status: status}, nil
}

func (s *healthServer) List(context.Context, *healthpb.HealthListRequest) (*healthpb.HealthListResponse, error) {
	response := &healthpb.HealthListResponse{Statuses: map[string]*healthpb.HealthCheckResponse{}}
	for _, service := range healthServices() {
		response.Statuses[service] = &healthpb.HealthCheckResponse{Status: s.status(service)}
	}
	return response, nil
}

// Watch sends the health when it is called and whenever it has changed. As the
// protocol demands, an unknown service is a status here and not an error.
func (s *healthServer) Watch(request *healthpb.HealthCheckRequest, stream grpc.ServerStreamingServer[healthpb.HealthCheckResponse]) error {
	ticker := time.NewTicker(s.interval)
	defer ticker.Stop()
	sent := healthpb.HealthCheckResponse_UNKNOWN
	for {
		if status := s.status(request.GetService()); status != sent {
			if err := stream.Send(&healthpb.HealthCheckResponse{Status: status}); err != nil {
				return err
			}
			sent = status
		}
		select {
		case <-ticker.C:
		case <-stream.Context().Done():
			return stream.Context().Err()
		case <-s.closing.Done():
			return errClosing
		}
	}
}
