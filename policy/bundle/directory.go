package bundle

import (
	"io"
	"io/fs"
	"path"
	"strings"

	"github.com/verdictpdp/verdict/api/authz"
)

// readDirectory reads the files below root that count, and parses them. Links
// to files are followed, links to directories are not, so that a mounted
// configuration map is read once.
func readDirectory(fsys fs.FS, root string, from origin, max limits) (*Bundle, error) {
	var files []file
	var total int64
	var open func() (io.ReadCloser, error)
	err := fs.WalkDir(fsys, root, func(p string, entry fs.DirEntry, err error) error {
		name := relative(root, p)
		switch {
		case err != nil:
			return unreadable(from.file(name), err)
		case entry.IsDir() && hidden(name):
			return fs.SkipDir
		case entry.IsDir(), roleOf(name) == ignored:
			return nil
		}
		if err := accept(from, name); err != nil {
			return err
		}
		if info, err := fs.Stat(fsys, p); err != nil {
			return unreadable(from.file(name), err)
		} else if !info.Mode().IsRegular() {
			return nil
		}
		if roleOf(name) == sample { // of any size, and read by tests alone
			open = func() (io.ReadCloser, error) { return fsys.Open(p) }
			return nil
		}
		if int64(len(files)) == max.files {
			return tooManyFiles(from, max)
		}
		raw, err := readFile(fsys, p, from.file(name), max)
		if err != nil {
			return err
		}
		if total += int64(len(raw)); total > max.bytes {
			return tooManyBytes(from, max)
		}
		files = append(files, file{name: name, raw: raw})
		return nil
	})
	if err != nil {
		return nil, err
	}
	b, err := parse(files, from)
	if err != nil {
		return nil, err
	}
	b.Directory = open
	return b, nil
}

func readFile(fsys fs.FS, p, shown string, max limits) ([]byte, error) {
	f, err := fsys.Open(p)
	if err != nil {
		return nil, unreadable(shown, err)
	}
	defer f.Close()
	raw, err := io.ReadAll(io.LimitReader(f, max.fileBytes+1))
	switch {
	case err != nil:
		return nil, unreadable(shown, err)
	case int64(len(raw)) > max.fileBytes:
		return nil, fileTooLarge(shown, max)
	}
	return raw, nil
}

func relative(root, p string) string {
	if root == "." {
		return p
	}
	return path.Clean(strings.TrimPrefix(strings.TrimPrefix(p, root), "/"))
}

func tooManyFiles(from origin, max limits) error {
	return authz.Errorf(authz.LimitExceeded, "bundle %s has more than %d files: split it, or leave out what is not policy", from.path, max.files)
}

func tooManyBytes(from origin, max limits) error {
	return authz.Errorf(authz.LimitExceeded, "bundle %s has more than %d bytes: keep attributes in the directory rather than in data files", from.path, max.bytes)
}

func fileTooLarge(shown string, max limits) error {
	advice := "keep attributes in the directory rather than in data files"
	if path.Base(shown) == sampleName {
		advice = "pack what the tests need, and keep the rest elsewhere"
	}
	return authz.Errorf(authz.LimitExceeded, "%s has more than %d bytes: %s", shown, max.fileBytes, advice)
}
