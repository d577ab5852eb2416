package store

import (
	"cmp"
	"errors"
	"io"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"

	"github.com/dgraph-io/badger/v4"
	"github.com/dgraph-io/badger/v4/table"

	"github.com/verdictpdp/verdict/api/authz"
)

// What Badger does with a damaged file is not what a directory needs: a table
// whose blocks it does not verify gives other answers, a log ends for it where
// it cannot be read, a list of tables as well, and the tables that are not on
// the list it removes. So the files are verified before Badger sees them, and
// nothing is changed in a store that is damaged.

// A verified is what the files of a store come to.
type verified struct {
	highest    uint64 // revision that is whole
	longestLog int64  // bytes of entries
}

// verifyFiles reads all files of a store that hold records, and the headers of the
// others that Badger reads, and refuses one that is damaged with an error of kind
// FailedPrecondition that names the file.
func verifyFiles(dir string) (verified, error) {
	var v verified
	acknowledged, err := readAcknowledged(dir)
	if err != nil {
		return v, err
	}
	tables, err := readManifest(dir)
	if err != nil {
		return v, err
	}
	if v.highest, err = verifyTables(dir, tables); err != nil {
		return v, err
	}
	if err := v.logs(dir); err != nil {
		return v, err
	}
	if v.highest < acknowledged {
		return v, authz.Errorf(authz.FailedPrecondition,
			"the store in %s is damaged: revision %d was acknowledged, and its files reach to revision %d: restore it from a backup", dir, acknowledged, v.highest)
	}
	return v, verifyHeaders(dir)
}

// damagedFile is the error of a file that is not as it was written. One that
// cannot be read at all may be there another time.
func damagedFile(path string, err error) error {
	if pathError, is := errors.AsType[*fs.PathError](err); is && !errors.Is(err, fs.ErrNotExist) {
		return authz.Errorf(authz.Unavailable, "the store cannot be read: %w", pathError)
	}
	return authz.Errorf(authz.FailedPrecondition, "the store is damaged: %s: %w: restore it from a backup", path, err)
}

// isDamage reports whether an error is that of a damaged file, and not of one that
// could not be read.
func isDamage(err error) bool { return authz.KindOf(err) == authz.FailedPrecondition }

// readManifest reads the list of the store's tables.
func readManifest(dir string) (tables []uint64, err error) {
	path := filepath.Join(dir, badger.ManifestFilename)
	file, err := os.Open(path)
	if errors.Is(err, fs.ErrNotExist) {
		// A store that was never written to has none, and Badger would remove the
		// tables of another.
		left, err := pathsEnding(dir, ".sst")
		if len(left) > 0 {
			return nil, damagedFile(path, errors.New("the list of tables is missing"))
		}
		return nil, err
	}
	if err != nil {
		return nil, damagedFile(path, err)
	}
	defer file.Close()
	manifest, _, err := badger.ReplayManifestFile(file, 0, badger.DefaultOptions(dir).WithLogger(nil))
	if err != nil {
		return nil, damagedFile(path, err)
	}
	return slices.Sorted(maps.Keys(manifest.Tables)), nil
}

// verifyTables verifies tables, and finds the highest revision in them.
func verifyTables(dir string, ids []uint64) (highest uint64, err error) {
	for _, id := range ids {
		version, err := verifyTable(table.NewFilename(id, dir), func() error { return nil })
		if err != nil {
			return 0, err
		}
		highest = max(highest, version)
	}
	return highest, nil
}

// logs verifies the logs of what is in no table yet, which follow on each other and
// on the tables.
func (v *verified) logs(dir string) error {
	paths, err := pathsEnding(dir, ".mem")
	if err != nil {
		return err
	}
	// Their names are numbers, of five digits or more.
	slices.SortFunc(paths, func(a, b string) int { return cmp.Or(cmp.Compare(len(a), len(b)), cmp.Compare(a, b)) })
	for _, path := range paths {
		highest, length, err := verifyLog(path, v.highest)
		if err != nil {
			return damagedFile(path, err)
		}
		v.highest, v.longestLog = highest, max(v.longestLog, length)
	}
	return nil
}

// readAt reads a part of a file, all of it or none.
func readAt(file io.ReaderAt, at int64, size int) ([]byte, error) {
	part := make([]byte, size)
	if _, err := file.ReadAt(part, at); err != nil {
		if errors.Is(err, io.EOF) {
			err = errShortFile
		}
		return nil, err
	}
	return part, nil
}

var errShortFile = errors.New("the file is too short")
