package store

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
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
	if err := makeDir(dir); err != nil {
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

// makeDir makes a directory, and what is missing above it. Their names are on disk then,
// without which nothing that is in them would be.
func makeDir(dir string) error {
	var missing []string
	for above := filepath.Clean(dir); ; above = filepath.Dir(above) {
		if _, err := os.Stat(above); !errors.Is(err, fs.ErrNotExist) {
			break
		}
		missing = append(missing, above)
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return err
	}
	for _, made := range missing {
		if err := syncPath(filepath.Dir(made)); err != nil {
			return err
		}
	}
	return nil
}

// lockHolder names the process that holds a store, as far as it is known.
func lockHolder(dir string) string {
	pid, err := os.ReadFile(filepath.Join(dir, lockFile))
	if err != nil {
		return ""
	}
	return fmt.Sprintf(" (process %.20s)", bytes.TrimRight(pid, "\n"))
}
