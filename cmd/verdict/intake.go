package main

import (
	"net/http"
	"time"

	"go.uber.org/zap"

	"github.com/verdictpdp/verdict/engine/intake"
	"github.com/verdictpdp/verdict/engine/server/authzen"
	"github.com/verdictpdp/verdict/engine/server/grpcapi"
)

// An intakeConfig is what clients may have each address hold for them.
type intakeConfig struct {
	Headers            byteSize `yaml:"headers" env:"HEADERS"`
	Calls              count    `yaml:"calls" env:"CALLS"`
	CallsPerPeer       count    `yaml:"calls_per_peer" env:"CALLS_PER_PEER"`
	CallsPerConnection count    `yaml:"calls_per_connection" env:"CALLS_PER_CONNECTION"`
	InFlight           byteSize `yaml:"in_flight" env:"IN_FLIGHT"`
	Transfer           duration `yaml:"transfer" env:"TRANSFER"`
	Idle               duration `yaml:"idle" env:"IDLE"`
}

func defaultIntake() intakeConfig {
	return intakeConfig{
		Headers: 64 << 10,
		Calls:   intake.DefaultCalls, CallsPerPeer: intake.DefaultCallsPerPeer, CallsPerConnection: grpcapi.DefaultMaxCalls,
		InFlight: intake.DefaultBytes, Transfer: duration(intake.DefaultTransfer), Idle: duration(15 * time.Minute),
	}
}

const (
	// minHeaders are more than gRPC and a token take, and maxHeaders less than both
	// net/http and gRPC can count.
	minHeaders, maxHeaders byteSize = 4 << 10, 16 << 20
	// maxCallsPerConnection is less than the intake follows.
	maxCallsPerConnection count = 5_000
	// minTransfer and minIdle are less than any client takes that means well.
	minTransfer, minIdle = duration(time.Second), duration(10 * time.Second)
)

// validate refuses settings that cannot work.
func (c intakeConfig) validate(refuse func(field, format string, args ...any)) {
	if c.Headers < minHeaders || c.Headers > maxHeaders {
		refuse("limits.headers", "%s: expected a size from %s to %s", c.Headers, minHeaders, maxHeaders)
	}
	if c.Calls <= 0 {
		refuse("limits.calls", "%d: expected a number above zero", c.Calls)
	}
	if c.CallsPerPeer <= 0 {
		refuse("limits.calls_per_peer", "%d: expected a number above zero", c.CallsPerPeer)
	}
	if c.CallsPerConnection <= 0 || c.CallsPerConnection > maxCallsPerConnection {
		refuse("limits.calls_per_connection", "%d: expected a number above zero and of at most %d", c.CallsPerConnection, maxCallsPerConnection)
	}
	if c.InFlight < maxInput {
		refuse("limits.in_flight", "%s: expected at least %s, which one message may have", c.InFlight, maxInput)
	}
	if c.Transfer < minTransfer {
		refuse("limits.transfer", "%s: expected at least %s", c.Transfer, minTransfer)
	}
	if c.Idle < minIdle {
		refuse("limits.idle", "%s: expected at least %s", c.Idle, minIdle)
	}
}

// limits are those of one address.
func (c intakeConfig) limits() intake.Limits {
	return intake.Limits{
		Calls: int(c.Calls), CallsPerPeer: int(c.CallsPerPeer), Bytes: int64(c.InFlight), Transfer: time.Duration(c.Transfer),
	}
}

// httpServer answers over HTTP, with bounds on what a connection costs.
func (c intakeConfig) httpServer(handler http.Handler, logger *zap.Logger) *http.Server {
	const (
		// slowHeader is less than the handshake of gRPC may take.
		slowHeader = 5 * time.Second
		// windowBytes is what a client may send of a request over HTTP/2 before it is
		// read, and of all those of a connection.
		windowBytes = 64 << 10
	)
	return &http.Server{
		Handler:           handler,
		ReadHeaderTimeout: slowHeader,
		// A request is answered within authzen.DefaultMaxTime, if need be that it
		// took too long, and one whose body comes too slowly soon after.
		ReadTimeout:    authzen.DefaultMaxTime + 5*time.Second,
		WriteTimeout:   authzen.DefaultMaxTime + 10*time.Second,
		IdleTimeout:    time.Duration(c.Idle),
		MaxHeaderBytes: int(c.Headers),
		HTTP2: &http.HTTP2Config{
			MaxConcurrentStreams:          int(c.CallsPerConnection),
			MaxReceiveBufferPerConnection: 2 * windowBytes,
			MaxReceiveBufferPerStream:     windowBytes,
			SendPingTimeout:               time.Duration(c.Transfer),
			PingTimeout:                   time.Duration(c.Transfer),
			WriteByteTimeout:              time.Duration(c.Transfer),
		},
		ErrorLog: zap.NewStdLog(logger),
		// The handler answers OPTIONS * as well.
		DisableGeneralOptionsHandler: true,
	}
}
