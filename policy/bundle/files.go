package bundle

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"path"
	"strings"

	"github.com/verdictpdp/verdict/api/authz"
)

// A file is a file of a bundle, in memory.
type file struct {
	name string // its path inside the bundle, with slashes, without a leading one
	raw  []byte
}

// limits are the constants of the same names, so that tests can stand at their
// edges without files of that size.
type limits struct {
	files, fileBytes, bytes int64
}

var defaultLimits = limits{files: MaxFiles, fileBytes: MaxFileBytes, bytes: MaxBytes}

// A role is what a file is to a bundle.
type role uint8

const (
	ignored role = iota
	policy
	test
	data
	manifest
	sample
	foreign // belongs to a bundle of a sort that is refused
)

// Names that mean something at the top of a bundle.
const (
	manifestName = ".manifest"
	wasmName     = "policy.wasm"
	patchName    = "patch.json"
	sampleName   = "directory.jsonl"
)

// roleOf finds the role of a file by its path inside the bundle.
func roleOf(name string) role {
	switch base := path.Base(name); {
	case hidden(path.Dir(name)):
		return ignored
	case base == manifestName, base == manifestName+".pb":
		return manifest
	case hidden(base):
		return ignored
	case strings.HasSuffix(base, "_test.rego"):
		return test
	case strings.HasSuffix(base, ".rego"):
		return policy
	case base == "data.json", base == "data.yaml", base == "data.yml":
		return data
	case name == wasmName, name == patchName:
		return foreign
	case name == sampleName:
		return sample
	default:
		return ignored
	}
}

// Counts reports whether a file of that path inside a bundle is part of it.
func Counts(path string) bool { return roleOf(path) != ignored }

// hidden reports whether a name in the path begins with a dot, as the
// directories of version control and of mounted configuration maps do, and the
// locks of editors.
func hidden(p string) bool {
	for name := range strings.SplitSeq(p, "/") {
		if strings.HasPrefix(name, ".") && name != "." {
			return true
		}
	}
	return false
}

func decides(r role) bool { return r != test && r != sample }

func tests(r role) bool { return r == test }

// accept reports a file that makes the bundle one that cannot be taken.
func accept(from origin, name string) error {
	switch {
	case name == patchName:
		return authz.InvalidField(from.file(name), "a delta bundle changes one that is already loaded: give the whole bundle")
	case name == wasmName:
		return authz.InvalidField(from.file(name), "compiled policy is not evaluated: build the bundle with its Rego (opa build -t rego)")
	case roleOf(name) == manifest && path.Dir(name) != ".":
		return authz.InvalidField(from.file(name), "a manifest stands at the top of its bundle: give %s itself", path.Dir(from.file(name)))
	}
	return nil
}

// digest is the SHA-256 of the names and contents of those files that are meant.
// The files are in the order of their names; lengths go in first, so that no two
// lists of files run into the same bytes.
func digest(files []file, meant func(role) bool) string {
	hash := sha256.New()
	write := func(b []byte) {
		var length [8]byte
		binary.BigEndian.PutUint64(length[:], uint64(len(b)))
		hash.Write(length[:])
		hash.Write(b)
	}
	for _, f := range files {
		if meant(roleOf(f.name)) {
			write([]byte(f.name))
			write(f.raw)
		}
	}
	return hex.EncodeToString(hash.Sum(nil))
}
