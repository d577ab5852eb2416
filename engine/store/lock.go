package store

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"github.com/verdictpdp/verdict/api/authz"
)

// errLocked is that of a directory which another process has locked.
var errLocked = errors.New("locked by another process")

// lockFile is where the holder of a store's lock writes its process id.
const lockFile = "LOCK"

// lockStore makes the directory of a store and locks it, as Badger does, until
// unlock is called or the process ends. A store that another process has open
// is an error of kind Unavailable.
func lockStore(dir string) (unlock func(), err error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, authz.Errorf(authz.Unavailable, "the store's directory cannot be made: %w", err)
	}
	unlock, err = lock(dir)
	switch {
	case err == nil:
		return unlock, nil
	case !errors.Is(err, errLocked):
		return nil, authz.Errorf(authz.Unavailable, "the store's directory cannot be opened: %w", err)
	default:
		return nil, authz.Errorf(authz.Unavailable, "the store in %s is in use by another process%s: stop that one, ask it over the network with --server, or choose another directory", dir, lockHolder(dir))
	}
}

// lockHolder names the process that holds a store, as far as it is known.
func lockHolder(dir string) string {
	pid, err := os.ReadFile(filepath.Join(dir, lockFile))
	if err != nil {
		return ""
	}
	return fmt.Sprintf(" (process %.20s)", bytes.TrimRight(pid, "\n"))
}
