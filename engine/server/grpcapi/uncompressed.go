package grpcapi

import (
	"errors"
	"io"
)

// uncompressed refuses what is compressed, by the one coding that packages which gRPC is
// linked with register for all servers: a few bytes could stand for the largest message.
type uncompressed struct{}

// Type implements grpc.Decompressor.
func (uncompressed) Type() string { return "gzip" }

// Do implements grpc.Decompressor.
func (uncompressed) Do(io.Reader) ([]byte, error) {
	return nil, errors.New("messages are taken as they are: send them without compression")
}
