package store

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"syscall"

	"github.com/verdictpdp/verdict/api/authz"
)

// Badger writes through mapped memory, its logs and its tables alike. Where
// the disk is full the system answers that with a signal, which ends the
// process; so what is about to be written has to find room beforehand.
const (
	// fullMemTableBytes is what a memtable comes to with the transaction that
	// fills it, as a log and as a table.
	fullMemTableBytes = memTableBytes + 8<<20
	// commitReserveBytes is what one commit may take: its entries in the log,
	// and the table of a full memtable, which is written before its log is
	// removed.
	commitReserveBytes = 8<<20 + fullMemTableBytes
	// maxCompactionBytes bounds what is left free for compactions. One writes
	// its tables anew before it removes them, and takes part of them only.
	maxCompactionBytes = 512 << 20
	// openReserveBytes is what opening a store takes, besides the table of a
	// log that is there.
	openReserveBytes = 8 << 20
	// maxLoadingBytes is how much of a bulk load waits to be written at most.
	maxLoadingBytes = 256 << 20
)

// A disk is what a store lies on.
type disk struct {
	dir string // empty for memory
	// free is how many bytes may be written to the file system of a directory,
	// if that is known.
	free func(dir string) (bytes int64, known bool)
}

// expectRoom refuses with an error of kind Unavailable where fewer bytes are
// free than are needed.
func (d disk) expectRoom(needed int64) error {
	if d.dir == "" {
		return nil
	}
	free, known := d.free(d.dir)
	if !known || free >= needed {
		return nil
	}
	return authz.Errorf(authz.Unavailable, "the disk of %s is nearly full: %d MiB are free, and %d MiB are needed: free some space and try again", d.dir, free>>20, (needed+1<<20-1)>>20)
}

// expectDescriptor refuses where no file can be opened, since a commit may need
// one, for the next log, and would fail for good without it.
func (d disk) expectDescriptor() error {
	if d.dir == "" {
		return nil
	}
	file, err := os.Open(d.dir)
	switch {
	case err == nil:
		return file.Close()
	case errors.Is(err, syscall.EMFILE), errors.Is(err, syscall.ENFILE):
		return authz.Errorf(authz.Unavailable, "no file of the store can be opened, since the process has too many open: try again, and raise its limit of open files or lower limits.connections: %w", err)
	default:
		return authz.Errorf(authz.Unavailable, "the store's directory cannot be opened: %w", err)
	}
}

// expectRoomToOpen refuses where a store cannot be opened.
func (d disk) expectRoomToOpen() error {
	if d.dir == "" {
		return nil
	}
	needed := int64(openReserveBytes)
	if logs, _ := fs.Glob(os.DirFS(d.dir), "*.mem"); len(logs) > 0 { // the pattern is well formed
		needed += fullMemTableBytes
	}
	if err := d.expectRoom(needed); err != nil {
		return fmt.Errorf("%w, or start from a copy of the store on another disk", err)
	}
	return nil
}

// expectRoomToCommit refuses where a commit, or the compactions that follow
// it, could fill the disk. Then reading and closing have enough left.
func (s *Store) expectRoomToCommit() error {
	if s.disk.dir == "" {
		return nil
	}
	var tables int64
	for _, level := range s.db.Levels() {
		tables += level.Size
	}
	return s.disk.expectRoom(commitReserveBytes + min(tables, maxCompactionBytes))
}
