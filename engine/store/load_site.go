package store

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/dgraph-io/badger/v4"
	"go.uber.org/zap"

	"github.com/verdictpdp/verdict/api/authz"
)

// A loadSite is where a bulk load builds: a directory within the store's, with
// the store to be and the files that are sorted. So it is on the file system
// that the store will be on, be that mounted or linked to. The store's
// directory is locked as long as the site is there, so that nobody writes to
// what the load replaces.
type loadSite struct {
	target string
	made   bool // the target was not there
	dir    string
	disk   disk
	log    *zap.Logger
	unlock func()
	rename func(from, to string) error
}

// loadDir is where a load into a directory builds. What an interrupted load
// left there is removed by whoever next opens the store or loads it.
func loadDir(target string) string { return filepath.Join(target, ".loading") }

func newLoadSite(target string, log *zap.Logger) (*loadSite, error) {
	return newSite(target, log, (*loadSite).checkUnwritten)
}

// newSite makes a site in a directory that check does not refuse.
func newSite(target string, log *zap.Logger, check func(*loadSite) error) (*loadSite, error) {
	if !canHold {
		return nil, authz.Errorf(authz.FailedPrecondition, "a load into %s needs a lock that this system does not have: import into it instead", target)
	}
	target, err := filepath.Abs(target)
	if err != nil {
		return nil, fmt.Errorf("loading: %w", err)
	}
	_, err = os.Lstat(target)
	s := &loadSite{target: target, made: errors.Is(err, fs.ErrNotExist), dir: loadDir(target), disk: disk{target, freeBytes}, log: log, rename: os.Rename}
	if s.unlock, err = lockStore(target); err != nil {
		return nil, err
	}
	err = mend(target, s.rename)
	if err == nil {
		err = check(s)
	}
	if err != nil {
		if s.made {
			_ = os.Remove(s.target)
		}
		s.unlock()
		return nil, err
	}
	if err := s.make(); err != nil {
		s.close()
		return nil, authz.Errorf(authz.Unavailable, "making room for a load: %w", err)
	}
	return s, nil
}

// make makes the site, and tells others who holds the lock.
func (s *loadSite) make() error {
	if err := os.RemoveAll(s.dir); err != nil {
		return err
	}
	if err := os.Mkdir(s.dir, 0o700); err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(s.target, lockFile), fmt.Appendln(nil, os.Getpid()), 0o600)
}

func (s *loadSite) store() string { return filepath.Join(s.dir, "store") }

// close removes the site.
func (s *loadSite) close() {
	_ = os.RemoveAll(s.dir) // what is left is removed by the next load
	_ = os.Remove(filepath.Join(s.target, lockFile))
	if s.made {
		_ = os.Remove(s.target) // which does nothing if a store is in it
	}
	s.unlock()
}

// finish puts the store into its place. The manifest goes last, since it says
// which tables are the store's: until its rename the target is a store that
// was never written to, which ignores and removes those that are there already.
func (s *loadSite) finish() error {
	// This makes that store where there is none.
	if err := s.checkStoreUnwritten(); err != nil {
		return err
	}
	files, err := os.ReadDir(s.store())
	if err != nil {
		return fmt.Errorf("putting the loaded store into its place: %w", err)
	}
	for _, file := range files {
		if file.Name() == acknowledgedFile { // which would be ahead until the manifest is there
			continue
		}
		if err := syncPath(filepath.Join(s.store(), file.Name())); err != nil {
			return err
		}
		if file.Name() == badger.ManifestFilename {
			continue
		}
		if err := s.place(file.Name()); err != nil {
			return err
		}
	}
	if err := syncPath(s.target); err != nil {
		return err
	}
	if err := s.place(badger.ManifestFilename); err != nil {
		return err
	}
	return syncPath(s.target)
}

// place puts a file of the store into its place.
func (s *loadSite) place(name string) error {
	if err := s.rename(filepath.Join(s.store(), name), filepath.Join(s.target, name)); err != nil {
		return fmt.Errorf("putting the loaded store into its place: %w", err)
	}
	return nil
}

// syncPath syncs a file, or the names in a directory.
func syncPath(path string) error {
	handle, err := os.Open(path)
	if err != nil {
		return fmt.Errorf("syncing: %w", err)
	}
	defer handle.Close()
	if err := handle.Sync(); err != nil {
		return fmt.Errorf("syncing: %w", err)
	}
	return nil
}

// checkUnwritten refuses a directory that holds anything but a store that was
// never written to.
func (s *loadSite) checkUnwritten() error {
	children, err := readChildren(s.target)
	if err != nil {
		return err
	}
	if isVacant(children) {
		return nil
	}
	if _, err := os.Stat(filepath.Join(s.target, badger.ManifestFilename)); err != nil {
		return noStore(s.target, children)
	}
	return s.checkStoreUnwritten()
}

// checkStore refuses a directory that holds no store.
func (s *loadSite) checkStore() error {
	if _, err := os.Stat(filepath.Join(s.target, badger.ManifestFilename)); err != nil {
		return authz.Errorf(authz.FailedPrecondition, "there is no store in %s for an incremental backup to go on from: restore a full one, and those after it", s.target)
	}
	return nil
}

// checkStoreUnwritten refuses a store that was written to, and makes one where
// there is none. The lock is the site's, and so Badger does without.
func (s *loadSite) checkStoreUnwritten() error {
	db, err := openWith(s.disk, badgerOptions(s.target, s.log).WithBypassLockGuard(true))
	if err != nil {
		return err
	}
	latest := db.MaxVersion()
	if err := db.Close(); err != nil {
		return fmt.Errorf("closing the store: %w", err)
	}
	if latest > 0 {
		return authz.Errorf(authz.FailedPrecondition, "the store in %s is at revision %d, and an empty one is needed: choose another directory, or move this store away", s.target, latest)
	}
	return nil
}
