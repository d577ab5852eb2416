// Package grpcapi serves verdict.v1 over gRPC: it turns messages into the nouns
// of api/authz, calls who decides or keeps, and turns the answer back. It adds
// the standard health service, which follows readiness, and reflection.
//
// It must not know how a decision is made or where the directory is kept, and
// it does not authenticate its callers. What it refuses by itself is what only
// the wire can get wrong: a message that cannot be read, a number that a double
// may have rounded, nesting without end, a page token of another listing.
// Everything else is checked behind it, for all edges alike.
//
// # Limits
//
// gRPC has one message size limit for a whole server, Options.MaxMessageBytes;
// it is as large as a batch of a write needs. What a message unpacks to is
// bounded by its parts, which are counted before. A request to decide is held to
// its own, smaller limit by the decider, and becomes a deny that names it.
//
// A connection has a limit of calls at a time, streams included, and is pinged
// when it has been silent, so that a peer that is gone does not keep its watches
// open. What all connections together have the server hold is bounded by an
// intake.Intake, which each is read and written through. The number of connections is
// left to the listener.
//
// # The wire
//
// Writes, listings and all else go through the generated messages. Decisions do
// not: what asks for them is read from the wire into api/authz by a cursor, and
// decisions are written as they are. At a microsecond a decision the generated
// messages would cost more than what is decided. See package wire.
//
// # Errors
//
// Methods return plain errors. The guard, one pair of interceptors, turns them
// into statuses by engine/server/status, logs internal ones, and turns a panic
// into INTERNAL.
//
// Start with New, then access.go.
package grpcapi
