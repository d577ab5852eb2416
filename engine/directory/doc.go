// Package directory is what the engine knows about entities and grants: it
// decides whether a write is right, and reads, imports, exports and watches
// what was written.
//
// A write is a batch, all of it or none. Its preconditions hold before it, its
// parents close no cycle after it, its attributes are strict JSON, and what it
// deletes leaves no grants behind. What it does not ask for it does not touch:
// children of a deleted entity keep a dangling parent, and a grant may name
// what does not exist yet, since bulk loads come in any order. Check lists
// both.
//
// The package does not know how records lie on disk, which is package store's,
// nor what a policy makes of them, which is package pip's. Nothing here looks
// at the clock to hide a grant.
//
// Which writes a policy does not let be made is a Guard's to say, which sees the
// directory with a write and without it. Who made a change is recorded with it, and
// told by Watch and, for longer, by Audit.
//
// Tenants are walls: every method names one, and nothing of another is ever
// read or written through it.
//
// Start with Directory, then Write in write.go and Snapshot.
package directory
