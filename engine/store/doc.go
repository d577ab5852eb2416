// Package store keeps the records of the directory in Badger: entities,
// grants, the indexes derived from them, and what each revision changed. It is
// the one importer of Badger.
//
// It knows how records lie on disk and how they commit. It does not know what
// makes a write right: which attributes are well formed, that parents form no
// cycle, what goes with a deleted entity. That is package directory's, which
// brings a function that reads and changes records through a Tx.
//
// # Revisions
//
// Badger runs in managed mode, and the directory revision is its commit
// timestamp: one counter for the whole store, of which each commit takes the
// next. A View reads one revision, the latest or one that is still kept.
// Badger keeps every version of a key above the discard timestamp, which
// follows the floor: the oldest revision that can be read.
//
// # Commits
//
// One goroutine writes. It runs each write that arrives against the revision
// published last, and accepts it into the next commit unless it touches or
// rests on what an accepted write changes: then it waits. So every entity
// changes at most once in a revision, every write sees the revision before its
// own, and many small writes share one Badger transaction and its sync. While
// one commit is put on disk, the next is gathered.
//
// With SyncWrites set, Badger syncs the log of the memtable that the
// transaction went to before it answers. Its DB.Sync would not do: it reaches
// the active memtable alone, and the transaction may have gone to the one
// before. A revision is published, and its writers are answered, after that.
//
// A commit also pays for history, and so needs no transaction of its own for
// that: it moves the floor up to what has left the retention window, and deletes
// the change records that have left the audit's, a bounded number each time.
// Where nobody writes, the store commits for that alone: see housekeeping.go. Such
// a revision changes no tenant.
//
// Change records outlive the revisions that they led to. So they say themselves
// who made a change and what it was, without the values of attributes.
//
// # Backups
//
// Backup writes what can be read, at each revision that is kept, and Restore makes
// a store of it, which shows the same: dump.go, restore.go, and adopt.go for how it
// takes its place. Package backup has the form.
//
// # Disk
//
// Badger writes through mapped memory, which ends the process where the disk
// is full. So before a commit there has to be room for it, for what memory
// holds, and for compactions: else writes are refused, and reading goes on.
//
// # Damage
//
// All files of a store are verified before Badger opens it, and its tables from
// time to time while it is open: verify.go says why Badger's own checks do not do.
// Beside each read, the blocks that it comes to are: block_guard.go. Records are
// sealed with a checksum as well, so that what is read of a damaged one is an error
// and never another answer. Once damage was found, writes are refused. Damage
// and Refused tell of it, and of a disk that is full.
//
// # Where to start
//
// Store.Update and Tx for writing, View for reading, index.go for what is
// derived from a record, key.go for where it lies.
package store
