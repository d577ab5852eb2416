package store

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/dgraph-io/badger/v4"

	"github.com/verdictpdp/verdict/api/authz"
)

// A restored store takes the place of the one that is there, if any, in steps
// that can be gone on with after a crash: while the first of these directories is
// there, the store beside it is to go, and while the second one is, its files are
// to take that place. Renaming the store as a whole would not do, for its
// directory may be a mount.
const (
	restoredDir = ".restored"
	placingDir  = ".placing"
)

// replace puts the store into its place, whatever is there. From the first rename
// on it is done even if this process is killed: by whoever next opens the store.
func (s *loadSite) replace() error {
	files, err := os.ReadDir(s.store())
	if err != nil {
		return fmt.Errorf("putting the restored store into its place: %w", err)
	}
	for _, file := range files {
		if err := syncPath(filepath.Join(s.store(), file.Name())); err != nil {
			return err
		}
	}
	if err := syncPath(s.store()); err != nil {
		return err
	}
	if err := s.rename(s.store(), filepath.Join(s.target, restoredDir)); err != nil {
		return fmt.Errorf("putting the restored store into its place: %w", err)
	}
	if err := syncPath(s.target); err != nil {
		return err
	}
	return adopt(s.target, s.rename)
}

// adopt finishes what replace began in a directory, which is locked. It does
// nothing where nothing was begun.
func adopt(dir string, rename func(from, to string) error) error {
	if err := adoptFiles(dir, rename); err != nil {
		return authz.Errorf(authz.Unavailable, "putting the restored store into its place in %s: mend what is wrong and try again: %w", dir, err)
	}
	return nil
}

func adoptFiles(dir string, rename func(from, to string) error) error {
	restored, placing := filepath.Join(dir, restoredDir), filepath.Join(dir, placingDir)
	switch _, err := os.Lstat(restored); {
	case err == nil:
		if err := removeStore(dir); err != nil {
			return err
		}
		if err := rename(restored, placing); err != nil {
			return err
		}
		if err := syncPath(dir); err != nil {
			return err
		}
	case !errors.Is(err, fs.ErrNotExist):
		return err
	}
	files, err := os.ReadDir(placing)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	for _, file := range files {
		if err := rename(filepath.Join(placing, file.Name()), filepath.Join(dir, file.Name())); err != nil {
			return err
		}
	}
	// The names have to be on disk before what says that they are to be moved goes.
	if err := syncPath(dir); err != nil {
		return err
	}
	if err := os.Remove(placing); err != nil {
		return err
	}
	return syncPath(dir)
}

// removeStore removes the files of a store.
func removeStore(dir string) error {
	files, err := os.ReadDir(dir)
	if err != nil {
		return err
	}
	for _, file := range files {
		if isStoreFile(file.Name()) {
			if err := os.Remove(filepath.Join(dir, file.Name())); err != nil {
				return err
			}
		}
	}
	return syncPath(dir)
}

// isStoreFile reports whether a name is one of a store's files, other than that of
// its lock.
func isStoreFile(name string) bool {
	switch name {
	case badger.ManifestFilename, badger.KeyRegistryFileName, "DISCARD", acknowledgedFile:
		return true
	}
	return isNumbered(name)
}

// isNumbered reports whether a name is that of a table or a log.
func isNumbered(name string) bool {
	number, ending, _ := strings.Cut(name, ".")
	_, err := strconv.ParseUint(number, 10, 64)
	return err == nil && slices.Contains([]string{"sst", "vlog", "mem"}, ending)
}
