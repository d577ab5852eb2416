package bundle

import (
	"archive/tar"
	"compress/gzip"
	"errors"
	"io"
	"path"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/verdictpdp/verdict/api/authz"
)

// readArchive reads a gzipped tar archive and parses what counts of it. Nothing
// is written anywhere, yet a name that climbs, a link or a device is refused:
// an archive that holds one is not what its author meant to ship.
func readArchive(r io.Reader, from origin, max limits) (*Bundle, error) {
	unzipped, err := gzip.NewReader(r)
	if err != nil {
		return nil, authz.Errorf(authz.Invalid, "bundle %s is neither a directory nor gzipped: give a directory or an OPA bundle (.tar.gz): %w", from.path, err)
	}
	bounded := &boundedReader{r: unzipped, left: max.bytes}
	files, err := entries(tar.NewReader(bounded), from, max)
	if err == nil {
		// Beyond the archive's end there is only padding, and gzip's checksum.
		_, err = io.Copy(io.Discard, bounded)
	}
	switch {
	case errors.Is(err, errBound):
		return nil, tooManyBytes(from, max)
	case errors.Is(err, io.ErrUnexpectedEOF):
		return nil, authz.Errorf(authz.Invalid, "bundle %s is cut short: copy or build it again", from.path)
	case err != nil && authz.KindOf(err) == authz.Internal:
		return nil, authz.Errorf(authz.Invalid, "bundle %s is not a sound archive: %w", from.path, err)
	case err != nil:
		return nil, err
	}
	return parse(files, from)
}

func entries(archive *tar.Reader, from origin, max limits) ([]file, error) {
	var files []file
	var total int64 // bytes of the files, with the holes of sparse ones, which the archive does not hold
	seen := make(map[string]bool)
	for count := int64(1); ; count++ {
		header, err := archive.Next()
		switch {
		case err == io.EOF:
			return files, nil
		case err != nil:
			return nil, err
		case count > max.files:
			return nil, tooManyFiles(from, max)
		}
		name, err := entryName(header.Name)
		if err != nil {
			return nil, authz.Errorf(authz.Invalid, "bundle %s: %w", from.path, err)
		}
		switch header.Typeflag {
		case tar.TypeReg:
		case tar.TypeDir, tar.TypeXGlobalHeader:
			continue
		default:
			return nil, authz.Errorf(authz.Invalid, "bundle %s: %s is neither a file nor a directory: pack the files themselves (tar --dereference)",
				from.path, authz.Quote(header.Name))
		}
		if seen[name] {
			return nil, authz.Errorf(authz.Invalid, "bundle %s: %s stands twice", from.path, authz.Quote(name))
		}
		seen[name] = true
		if roleOf(name) == ignored {
			continue
		}
		if err := accept(from, name); err != nil {
			return nil, err
		}
		if header.Size > max.fileBytes {
			return nil, fileTooLarge(from.file(name), max)
		}
		if total += header.Size; total > max.bytes {
			return nil, tooManyBytes(from, max)
		}
		raw, err := io.ReadAll(archive)
		if err != nil {
			return nil, err
		}
		files = append(files, file{name: name, raw: raw})
	}
}

// entryName is the path of an entry inside the bundle. OPA itself writes names
// with a leading slash, which means the top of the bundle.
func entryName(name string) (string, error) {
	switch {
	case !utf8.ValidString(name) || strings.ContainsAny(name, "\\\x00"):
		return "", authz.Errorf(authz.Invalid, "the name %s is not UTF-8 with slashes", authz.Quote(name))
	case slices.Contains(strings.Split(name, "/"), ".."):
		return "", authz.Errorf(authz.Invalid, "the name %s climbs out of the archive: pack it from inside the bundle's directory", authz.Quote(name))
	}
	return strings.TrimPrefix(path.Clean("/"+name), "/"), nil
}

var errBound = errors.New("more bytes than the limit")

// A boundedReader fails, rather than ends, after so many bytes.
type boundedReader struct {
	r    io.Reader
	left int64
}

func (b *boundedReader) Read(p []byte) (int, error) {
	if int64(len(p)) > b.left+1 {
		p = p[:b.left+1]
	}
	n, err := b.r.Read(p)
	if b.left -= int64(n); b.left < 0 {
		return n, errBound
	}
	return n, err
}
