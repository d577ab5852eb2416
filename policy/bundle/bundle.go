package bundle

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"

	"github.com/open-policy-agent/opa/v1/ast"

	"github.com/verdictpdp/verdict/api/authz"
)

// Limits of a bundle. Reading one that passes them ends in an error of kind
// LimitExceeded that names the limit.
const (
	MaxFiles         = 10_000    // policy and data files; in an archive, entries of any sort
	MaxFileBytes     = 32 << 20  // bytes of one policy or data file
	MaxBytes         = 128 << 20 // bytes of all of them together; in an archive, of all that it unpacks to
	MaxRevisionBytes = 256       // bytes of the manifest's revision
)

// A Bundle is policy and static data that are activated together. It is not
// changed once it is read.
type Bundle struct {
	// Name is the last element of the path that the bundle was read from,
	// without .tar.gz.
	Name string
	// Revision is the manifest's; where it has none, it is "sha256:" and the
	// first twelve digits of Digest.
	Revision string
	// Digest is the SHA-256, in hexadecimal, of the paths and contents of the
	// files that count, except for the tests. It changes whenever a decision
	// could, also when the author leaves the manifest's revision as it is.
	Digest string
	// Modules are the policy, in the order of their paths; those of a library
	// come last.
	Modules []Module
	// TestModules are the files called *_test.rego, in the order of their
	// paths. They are no part of what is activated.
	TestModules []Module
	// TestDigest is the SHA-256, in hexadecimal, of the files of TestModules.
	TestDigest string
	// Directory opens the file directory.jsonl at the top of the bundle, which
	// says in the import format what its tests find in data.directory. It is nil
	// where there is none.
	Directory func() (io.ReadCloser, error)
	// Replaced are the packages of a library that the bundle defines itself,
	// such as data.verdict.rbac, sorted.
	Replaced []string
	// Data is the static data. Numbers are json.Number.
	Data map[string]any
}

// A Module is one Rego file.
type Module struct {
	// Path is where the file stands, as errors and explanations show it: the
	// bundle's path as it was given, and the path inside the bundle.
	Path string
	// Parsed is the file with its metadata annotations.
	Parsed *ast.Module

	// digest is of the file, and of what else it was parsed by.
	digest [sha256.Size]byte
}

// Read reads the bundle in a directory or in an archive (.tar.gz). In a
// directory only *.rego, data.json, data.yaml, data.yml, and the .manifest and
// the directory.jsonl at its top count, and directories whose names begin with a
// dot are left out.
//
// The error is of kind NotFound where there is no such path, LimitExceeded for
// a bundle beyond the limits, and otherwise Invalid, with a violation for each
// fault whose field is file:line.
func Read(path string) (*Bundle, error) { return ReadAfter(path, nil, nil) }

// ReadAfter is Read for a bundle that has been read before, be it as it was then or
// not: modules whose files are as they were are those of before, for to parse them is
// most of the work. A nil bundle has none. Between files rest is called, for others to
// have their turn; nil is not.
func ReadAfter(path string, before *Bundle, rest func()) (*Bundle, error) {
	from := origin{name: nameOf(path), path: path, parsed: before.parsed(), rest: rest}
	info, err := os.Stat(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil, missing(path)
	case err != nil:
		return nil, unreadable(path, err)
	case info.IsDir():
		return readDirectory(os.DirFS(path), ".", from, defaultLimits)
	case info.Mode().IsRegular():
		return readArchiveFile(path, from)
	default:
		return nil, authz.Errorf(authz.Invalid, "bundle %s is neither a directory nor a file", path)
	}
}

// ReadFS reads the bundle in the directory root of fsys, such as one that is
// embedded in the program, by the rules of Read.
func ReadFS(fsys fs.FS, root string) (*Bundle, error) {
	from := origin{name: path.Base(root), path: root}
	info, err := fs.Stat(fsys, root)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil, missing(root)
	case err != nil:
		return nil, unreadable(root, err)
	case !info.IsDir():
		return nil, authz.Errorf(authz.Invalid, "bundle %s is not a directory", root)
	}
	return readDirectory(fsys, root, from, defaultLimits)
}

// parsed are the modules of a bundle, its tests among them, by their paths.
func (b *Bundle) parsed() map[string]Module {
	if b == nil {
		return nil
	}
	parsed := make(map[string]Module, len(b.Modules)+len(b.TestModules))
	for _, m := range slices.Concat(b.Modules, b.TestModules) {
		parsed[m.Path] = m
	}
	return parsed
}

func readArchiveFile(path string, from origin) (*Bundle, error) {
	file, err := os.Open(path)
	if err != nil {
		return nil, unreadable(path, err)
	}
	defer file.Close()
	return readArchive(file, from, defaultLimits)
}

// WithoutTests is b without what only its tests need, so that it is not kept in memory.
// TestDigest stays.
func (b *Bundle) WithoutTests() *Bundle {
	untested := *b
	untested.TestModules, untested.Directory = nil, nil
	return &untested
}

// With is b and, of a library, the modules of those packages that b does not
// define itself; a package is replaced as a whole. Data, tests and directory of
// the library are left out. The revision stays that of b; the digest covers both.
func (b *Bundle) With(library *Bundle) *Bundle {
	own := make(map[string]bool)
	for _, m := range b.Modules {
		own[m.Parsed.Package.Path.String()] = true
	}
	both := *b
	both.Modules = slices.Clone(b.Modules)
	both.Replaced = slices.Clone(b.Replaced)
	for _, m := range library.Modules {
		if own[m.Parsed.Package.Path.String()] {
			both.Replaced = append(both.Replaced, m.Parsed.Package.Path.String())
		} else {
			both.Modules = append(both.Modules, m)
		}
	}
	slices.Sort(both.Replaced)
	both.Replaced = slices.Compact(both.Replaced)
	sum := sha256.Sum256([]byte(b.Digest + library.Digest))
	both.Digest = hex.EncodeToString(sum[:])
	return &both
}

// An origin is where a bundle comes from.
type origin struct {
	name string
	path string
	// parsed are modules that were read there before, by their paths.
	parsed map[string]Module
	// rest is called between files, unless it is nil.
	rest func()
}

// file is the path that is shown for a file of the bundle.
func (o origin) file(name string) string { return path.Join(filepath.ToSlash(o.path), name) }

func nameOf(p string) string {
	if abs, err := filepath.Abs(p); err == nil {
		p = abs
	}
	name := filepath.Base(p)
	for _, suffix := range []string{".tar.gz", ".tgz"} {
		name = strings.TrimSuffix(name, suffix)
	}
	return name
}

func missing(path string) error {
	return authz.Errorf(authz.NotFound, "bundle %s does not exist: give a directory or an OPA bundle (.tar.gz)", path)
}

func unreadable(path string, err error) error {
	var inner *fs.PathError
	if errors.As(err, &inner) {
		err = inner.Err
	}
	return authz.Errorf(authz.Invalid, "%s cannot be read: %w", path, err)
}
