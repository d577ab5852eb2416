package authz

import "time"

// A PolicyChange is what became of a tenant's policy: another one became active,
// or one was refused and the one before stayed.
type PolicyChange struct {
	// Bundle is the name of the bundle, and Path where it was read from; empty for
	// one that is part of the program.
	Bundle, Path string
	// Before is the revision of the policy that was active before; empty where none
	// was.
	Before string
	// Revision and Digest are those of the bundle: the revision is what its author
	// calls it, the digest is that of what is in it. Empty where it could not be
	// read.
	Revision, Digest string
	// At is when that was.
	At time.Time
	// Refused is why the bundle did not become active; empty where it did.
	Refused string
}

// Active is the revision of the policy that is active after the change; empty where
// none is.
func (p PolicyChange) Active() string {
	if p.Refused != "" {
		return p.Before
	}
	return p.Revision
}
