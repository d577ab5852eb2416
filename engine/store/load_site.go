package store

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"go.uber.org/zap"

	"github.com/verdictpdp/verdict/api/authz"
)

// A loadSite is where a bulk load builds: a directory beside the store's, with
// the store to be and the files that are sorted. What an interrupted load left
// there is removed by the next.
type loadSite struct {
	target string
	dir    string
	unlock func()
}

func newLoadSite(target string, log *zap.Logger) (*loadSite, error) {
	target, err := filepath.Abs(target)
	if err != nil {
		return nil, fmt.Errorf("loading: %w", err)
	}
	if err := checkUnwritten(target, log); err != nil {
		return nil, err
	}
	site := &loadSite{target: target, dir: target + ".loading"}
	if err := os.MkdirAll(site.dir, 0o700); err != nil {
		return nil, authz.Errorf(authz.Unavailable, "the store's directory cannot be made: %w", err)
	}
	switch site.unlock, err = lock(site.dir); {
	case errors.Is(err, errLocked):
		return nil, authz.Errorf(authz.Unavailable, "another load into %s is running: wait for it to end", target)
	case err != nil:
		return nil, fmt.Errorf("loading: %w", err)
	}
	if err := site.clear(); err != nil {
		site.unlock()
		return nil, fmt.Errorf("removing what an earlier load left: %w", err)
	}
	return site, nil
}

func (s *loadSite) store() string { return filepath.Join(s.dir, "store") }

// clear removes what the site holds. The site itself stays, and its lock.
func (s *loadSite) clear() error {
	children, err := os.ReadDir(s.dir)
	if err != nil {
		return err
	}
	for _, child := range children {
		if err := os.RemoveAll(filepath.Join(s.dir, child.Name())); err != nil {
			return err
		}
	}
	return nil
}

// close removes the site.
func (s *loadSite) close() {
	_ = os.RemoveAll(s.dir) // what is left is removed by the next load
	s.unlock()
}

// finish puts the store into its place.
func (s *loadSite) finish() error {
	if err := syncDir(s.store()); err != nil {
		return err
	}
	// A store that was never written to goes aside first: a rename replaces
	// only an empty directory.
	aside := filepath.Join(s.dir, "replaced")
	if err := os.Rename(s.target, aside); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("putting the loaded store into its place: %w", err)
	}
	if err := os.Rename(s.store(), s.target); err != nil {
		return fmt.Errorf("putting the loaded store into its place: %w", err)
	}
	return syncDir(filepath.Dir(s.target))
}

func syncDir(dir string) error {
	handle, err := os.Open(dir)
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
func checkUnwritten(dir string, log *zap.Logger) error {
	children, err := os.ReadDir(dir)
	switch {
	case errors.Is(err, fs.ErrNotExist) || err == nil && len(children) == 0:
		return nil
	case err != nil:
		return authz.Errorf(authz.Unavailable, "the store's directory cannot be read: %w", err)
	}
	if _, err := os.Stat(filepath.Join(dir, "MANIFEST")); err != nil {
		return authz.Errorf(authz.FailedPrecondition, "%s is neither empty nor a store: choose another directory", dir)
	}
	s, err := Open(Options{Dir: dir, Clock: time.Now, Logger: log})
	if err != nil {
		return err
	}
	_, latest := s.Revisions()
	if err := s.Close(); err != nil {
		return err
	}
	if latest > 0 {
		return authz.Errorf(authz.FailedPrecondition, "the store in %s is at revision %d: a load needs an empty one, import into this instead", dir, latest)
	}
	return nil
}
