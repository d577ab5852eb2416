package mapping

import (
	"strings"

	"github.com/verdictpdp/verdict/api/authz"
)

// Limits of a target. Each is refused beyond, never cut.
const (
	MaxPathBytes  = 4 << 10  // bytes of a path, as it was sent and in its one form
	MaxQueryBytes = 16 << 10 // bytes of a query as it was sent
	MaxSegments   = 64       // segments of a path
	MaxParameters = 256      // parameters of a query
)

// A Target is what a request asks for, in the one form that all readers agree on.
type Target struct {
	// Path is the path, encoded as RFC 3986 would have it: it begins with a slash,
	// and has one between two segments and none at its end.
	Path string
	// Segments are what stands between the slashes, decoded.
	Segments []string
	// Query holds the values of each parameter, decoded, in their order; nil where
	// there is no query.
	Query map[string][]string
}

// ParseTarget reads a request target in origin form (RFC 9112, section 3.2.1), a
// path and perhaps a query. What two readers may read differently is an error of
// kind Invalid; see the package's doc for each of those.
func ParseTarget(target string) (Target, error) {
	if strings.IndexByte(target, '#') >= 0 {
		return Target{}, refuse("path", "has a fragment, which a client keeps to itself")
	}
	path, query, _ := strings.Cut(target, "?")
	if len(path) > MaxPathBytes {
		return Target{}, refuse("path", "has %d bytes: at most %d are allowed", len(path), MaxPathBytes)
	}
	if path == "" || path[0] != '/' {
		return Target{}, refuse("path", "begins with %s: expected a slash, as in /patients/7", beginning(path))
	}
	segments, err := parseSegments(path[1:])
	if err != nil {
		return Target{}, err
	}
	encoded := encodePath(segments)
	if len(encoded) > MaxPathBytes {
		return Target{}, refuse("path", "has %d bytes when it is encoded in full: at most %d are allowed", len(encoded), MaxPathBytes)
	}
	parameters, err := parseQuery(query)
	if err != nil {
		return Target{}, err
	}
	return Target{Path: encoded, Segments: segments, Query: parameters}, nil
}

// refuse is the error of what is not read.
func refuse(field, format string, args ...any) error {
	return authz.InvalidField(field, format, args...)
}

// beginning is how a path begins, for a message.
func beginning(path string) string {
	const enough = 16
	if path == "" {
		return "nothing"
	}
	return authz.Quote(path[:min(len(path), enough)])
}

// parseSegments splits what follows the first slash. One slash at the end is left
// out: backends do not agree on whether it means anything, so no decision may rest
// on it.
func parseSegments(rest string) ([]string, error) {
	if rest == "" {
		return []string{}, nil
	}
	rest = strings.TrimSuffix(rest, "/")
	count := 1 + strings.Count(rest, "/")
	if count > MaxSegments {
		return nil, refuse("path", "has %d segments: at most %d are allowed", count, MaxSegments)
	}
	segments := make([]string, 0, count)
	for raw := range strings.SplitSeq(rest, "/") {
		segment, err := parseSegment(raw)
		if err != nil {
			return nil, err
		}
		segments = append(segments, segment)
	}
	return segments, nil
}

// encodePath writes segments as parseSegments reads them.
func encodePath(segments []string) string {
	if len(segments) == 0 {
		return "/"
	}
	size := 0
	for _, segment := range segments {
		size += 1 + len(segment)
	}
	var path strings.Builder
	path.Grow(size)
	for _, segment := range segments {
		path.WriteByte('/')
		encodeSegment(&path, segment)
	}
	return path.String()
}

func encodeSegment(path *strings.Builder, segment string) {
	const digits = "0123456789ABCDEF"
	for i := range len(segment) {
		b := segment[i]
		if plain[b] {
			path.WriteByte(b)
			continue
		}
		path.WriteByte('%')
		path.WriteByte(digits[b>>4])
		path.WriteByte(digits[b&0xf])
	}
}

// plain are the bytes that stand in a segment as they are: the unreserved ones and
// those of the reserved ones that mean nothing there (RFC 3986, section 3.3). The
// semicolon, which does for some, is none of them.
var plain = func() (set [256]bool) {
	for _, b := range []byte("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~!$&'()*+,=:@") {
		set[b] = true
	}
	return set
}()
