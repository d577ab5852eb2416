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

// A site is where a store is opened, as it was before.
type site struct {
	// missing is set where the directory was not there, and vacant where no store was in
	// it, nor anything else that somebody has put there.
	missing, vacant bool
}

// siteOf looks at the directory of a store; empty for one in memory.
func siteOf(dir string) site {
	if dir == "" {
		return site{}
	}
	children, err := os.ReadDir(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return site{missing: true, vacant: true}
	}
	return site{vacant: err == nil && isVacant(children)}
}

// expectNoOthers refuses a directory that holds something, and nothing of a store.
func expectNoOthers(dir string) error {
	children, err := readChildren(dir)
	if err != nil {
		return err
	}
	if isVacant(children) || slices.ContainsFunc(children, func(child fs.DirEntry) bool { return isOfAStore(child.Name()) }) {
		return nil
	}
	return noStore(dir, children)
}

func readChildren(dir string) ([]fs.DirEntry, error) {
	children, err := os.ReadDir(dir)
	if err != nil {
		return nil, authz.Errorf(authz.Unavailable, "the store's directory cannot be read: %w", err)
	}
	return children, nil
}

// pathsEnding are the paths of what has an ending in a directory, sorted; none where it is
// not there. The directory's own path may have anything in it, such as what is a pattern to
// Glob.
func pathsEnding(dir, ending string) (paths []string, err error) {
	children, err := readChildren(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	for _, child := range children {
		if strings.HasSuffix(child.Name(), ending) {
			paths = append(paths, filepath.Join(dir, child.Name()))
		}
	}
	return paths, err
}

// noStore is the error of a directory with these children, which are none of a store's.
func noStore(dir string, children []fs.DirEntry) error {
	const shown = 3
	var names []string
	for _, child := range children {
		if name := child.Name(); !isIncidental(name) {
			names = append(names, readable(name))
		}
	}
	others := strings.Join(names[:min(shown, len(names))], ", ")
	if more := len(names) - shown; more > 0 {
		others = fmt.Sprintf("%s and %d more", others, more)
	}
	return authz.Errorf(authz.FailedPrecondition, "%s holds no store, but %s: choose an empty directory, or one that is not there", dir, others)
}

// readable is a name as it is, or quoted where that would not be seen as one.
func readable(name string) string {
	if quoted := strconv.Quote(name); quoted != `"`+name+`"` || strings.ContainsAny(name, " ,") {
		return quoted
	}
	return name
}

// isVacant reports whether a directory with these children holds nothing.
func isVacant(children []fs.DirEntry) bool {
	return !slices.ContainsFunc(children, func(child fs.DirEntry) bool { return !isIncidental(child.Name()) })
}

// isOfAStore reports whether a name is of what nothing else has, such as a table, or a
// restored store that is to take its place.
func isOfAStore(name string) bool {
	return name == badger.ManifestFilename || name == restoredDir || name == placingDir || isNumbered(name)
}

// isIncidental reports whether a name says nothing about a directory: it is
// what loads and Badger leave there when they are killed early, or what file
// systems have at their root, much of it hidden.
func isIncidental(name string) bool {
	switch name {
	case restoredDir, placingDir:
		return false
	case lockFile, acknowledgedFile, "MANIFEST-REWRITE", "lost+found":
		return true
	}
	return strings.HasPrefix(name, ".")
}
