package main

import (
	"context"
	"net/http"
	"sync"
	"time"

	"go.uber.org/zap"
)

// A shutdownConfig is how the service ends.
type shutdownConfig struct {
	Delay duration `yaml:"delay" env:"DELAY"`
	Grace duration `yaml:"grace" env:"GRACE"`
}

func defaultShutdown() shutdownConfig { return shutdownConfig{Grace: duration(10 * time.Second)} }

func (c shutdownConfig) validate(refuse func(field, format string, args ...any)) {
	if c.Delay < 0 {
		refuse("shutdown.delay", "%s: expected a duration, such as 5s", c.Delay)
	}
	if c.Grace < 0 {
		refuse("shutdown.grace", "%s: expected a duration, such as 10s", c.Grace)
	}
}

// drain says that the service is not ready, and answers on for as long as it takes
// until those who choose between servers have noticed. ctx is done when there is
// nothing to answer with.
func (s *service) drain(ctx context.Context) {
	s.draining.Store(true)
	s.tellManager(managerStopping)
	s.logger.Info("draining: not ready, and answering", zap.Stringer("delay", s.config.Shutdown.Delay))
	select {
	case <-time.After(time.Duration(s.config.Shutdown.Delay)):
	case <-ctx.Done():
	}
}

// parting has HTTP callers connect anew, to another server, from when on this one
// drains: an idle connection that ends may end just while a request is on its way.
func (s *service) parting(handler http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if s.draining.Load() {
			w.Header().Set("Connection", "close")
		}
		handler.ServeHTTP(w, r)
	})
}

// shutdown stops accepting and waits for what is in flight, for as long as the
// configuration grants.
func (s *service) shutdown() {
	s.logger.Info("shutting down", zap.Stringer("grace", s.config.Shutdown.Grace))
	ctx, cancel := context.WithTimeout(context.Background(), time.Duration(s.config.Shutdown.Grace))
	defer cancel()
	var both sync.WaitGroup
	both.Go(func() {
		if err := s.http.Shutdown(ctx); err != nil {
			s.logger.Warn("HTTP requests were cut off", zap.Error(err))
			s.http.Close()
		}
	})
	both.Go(func() {
		if err := s.grpc.Shutdown(ctx); err != nil {
			s.logger.Warn("gRPC requests were cut off", zap.Error(err))
		}
	})
	both.Wait()
	s.logger.Info("stopped serving")
}
