package store

import (
	"encoding/binary"
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/dgraph-io/badger/v4"

	"github.com/verdictpdp/verdict/api/authz"
)

// Badger keeps two kinds of files that hold nothing of ours, and does not open a store
// that has one it cannot read: logs of values that are too large for tables, of which
// there are none, and the list of the keys that files are encrypted with, which none is.

// verifyHeaders verifies what Badger reads of them.
func verifyHeaders(dir string) error {
	if err := verifyKeyRegistry(filepath.Join(dir, badger.KeyRegistryFileName)); err != nil {
		return err
	}
	paths, err := pathsEnding(dir, ".vlog")
	if err != nil {
		return err
	}
	for _, path := range paths {
		if err := verifyValueLog(path); err != nil {
			return err
		}
	}
	return nil
}

// verifyValueLog verifies the header of a log of values, which is that of any log. Badger
// makes one anew that is cut off within it.
func verifyValueLog(path string) error {
	file, err := os.Open(path)
	if err != nil {
		return damagedFile(path, err)
	}
	defer file.Close()
	header, err := readAt(file, 0, logHeaderSize)
	switch {
	case errors.Is(err, errShortFile):
		return nil
	case err != nil:
		return damagedFile(path, err)
	case binary.BigEndian.Uint64(header) != 0:
		return damagedAside(path, "its header says that it is encrypted, as no log of ours is; it")
	}
	return nil
}

// What a list of keys begins with, of which the first part is random.
const (
	keyRegistryRandom = 16
	keyRegistryMark   = "Hello Badger"
)

// verifyKeyRegistry verifies a list of keys that has none. Badger makes one that is missing.
func verifyKeyRegistry(path string) error {
	file, err := os.Open(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return damagedFile(path, err)
	}
	defer file.Close()
	const size = keyRegistryRandom + len(keyRegistryMark)
	text, err := io.ReadAll(io.LimitReader(file, int64(size)+1))
	if err != nil {
		return damagedFile(path, err)
	}
	if len(text) != size || string(text[keyRegistryRandom:]) != keyRegistryMark {
		return damagedAside(path, "it is no list of keys without any; it")
	}
	return nil
}

// damagedAside is the error of a damaged file that a store can do without. What is said of
// it goes on with that it holds nothing.
func damagedAside(path, said string) error {
	return authz.Errorf(authz.FailedPrecondition,
		"%s is damaged: %s holds nothing of the directory; restore the store from a backup, or remove the file and see with verdict directory check --deep whether all is there",
		path, said)
}
