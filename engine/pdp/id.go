package pdp

import "github.com/google/uuid"

// newID names a decision: a UUID of version 7 (RFC 9562). It sorts by time, so
// that a log indexed by it stays local, and has enough random bits that nobody
// who has one finds another.
func newID() string { return uuid.Must(uuid.NewV7()).String() }
