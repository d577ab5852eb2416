package mapping

import (
	"errors"
	"fmt"
	"net/url"
	"path"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"

	"github.com/verdictpdp/verdict/api/authz"
)

func TestTargetsThatAllReadersAgreeOn(t *testing.T) {
	tests := []struct {
		name, target, path string
		segments           []string
		query              map[string][]string
	}{
		{"the root", "/", "/", []string{}, nil},
		{"two segments", "/patients/7", "/patients/7", []string{"patients", "7"}, nil},
		{"a slash at the end", "/patients/", "/patients", []string{"patients"}, nil},
		{"an encoded letter", "/%61dmin", "/admin", []string{"admin"}, nil},
		{"digits of either case", "/%c3%A9t%c3%a9", "/%C3%A9t%C3%A9", []string{"été"}, nil},
		{"an encoded space within", "/a%20b", "/a%20b", []string{"a b"}, nil},
		{"a plus, which is one in a path", "/a+b", "/a+b", []string{"a+b"}, nil},
		{"a lone percent sign", "/100%25", "/100%25", []string{"100%"}, nil},
		{"percent signs that encode nothing", "/%25%25zz", "/%25%25zz", []string{"%%zz"}, nil},
		{"dots within and before", "/.well-known/v1.2/a..b", "/.well-known/v1.2/a..b", []string{".well-known", "v1.2", "a..b"}, nil},
		{"what else may stand in a segment", "/-_~!$&'()*+,=:@", "/-_~!$&'()*+,=:@", []string{"-_~!$&'()*+,=:@"}, nil},
		{"what should be encoded and means nothing", `/{"a"}|^`, "/%7B%22a%22%7D%7C%5E", []string{`{"a"}|^`}, nil},
		{"letters of the case they have", "/Admin", "/Admin", []string{"Admin"}, nil},
		{"an empty query", "/a?", "/a", []string{"a"}, nil},
		{"a query", "/a?b=1&c=2", "/a", []string{"a"}, map[string][]string{"b": {"1"}, "c": {"2"}}},
		{"a parameter twice", "/a?b=1&b=2", "/a", []string{"a"}, map[string][]string{"b": {"1", "2"}}},
		{"parameters without a value", "/a?b&c=", "/a", []string{"a"}, map[string][]string{"b": {""}, "c": {""}}},
		{"ampersands too many", "/a?&&b=1&", "/a", []string{"a"}, map[string][]string{"b": {"1"}}},
		{"encoded parameters", "/a?%62=x+y%3B%26%0A", "/a", []string{"a"}, map[string][]string{"b": {"x y;&\n"}}},
		{"an address in a parameter", "/a?next=/b%3Fc%3D%252F..//", "/a", []string{"a"}, map[string][]string{"next": {"/b?c=%2F..//"}}},
		{"a question mark in a query", "/a?b=?", "/a", []string{"a"}, map[string][]string{"b": {"?"}}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got, err := ParseTarget(tt.target)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(Target{tt.path, tt.segments, tt.query}, got); diff != "" {
				t.Error(diff)
			}
		})
	}
}

// Each trick is refused, and the refusal says which one it is.
func TestTricks(t *testing.T) {
	tests := []struct{ name, target, want string }{
		{"an encoded slash", "/a%2Fb", "encoded slash"},
		{"an encoded slash in small letters", "/a%2fb", "encoded slash"},
		{"an encoded backslash", "/a%5Cb", "encoded slash or backslash"},
		{"a backslash", `/a\b`, "has a backslash"},
		{"a segment of a dot", "/a/./b", "ends with a dot"},
		{"a segment of two dots", "/public/../admin", "ends with a dot"},
		{"encoded dots", "/public/%2e%2e/admin", "ends with a dot"},
		{"a dot and an encoded one", "/public/.%2E/admin", "ends with a dot"},
		{"dots at the end", "/public/..", "ends with a dot"},
		{"dots behind a semicolon", "/public/..;/admin", "semicolon"},
		{"a dot at the end", "/a/.", "ends with a dot"},
		{"dots and a slash at the end", "/a/../", "ends with a dot"},
		{"three dots", "/a/.../b", "ends with a dot"},
		{"dots and an encoded space", "/a/..%20/b", "begins or ends with a space"},
		{"dots and an encoded NUL", "/a/..%00/b", "encoded control character"},
		{"dots and an encoded tab", "/a/..%09/b", "encoded control character"},
		{"dots that IIS encodes", "/a/%u002e%u002e/b", "two hexadecimal digits"},
		{"dots that are encoded twice", "/a/%252e%252e/b", "encoded twice"},
		{"dots of which one is encoded in part", "/a/%2%65%2e/b", "two hexadecimal digits"},
		{"dots and a backslash", `/a/..\b`, "has a backslash"},
		{"two slashes", "/a//b", "two slashes"},
		{"two slashes at the start", "//host/a", "two slashes"},
		{"two slashes at the end", "/a//", "two slashes"},
		{"nothing but slashes", "//", "two slashes"},
		{"a matrix parameter", "/admin;a=b", "semicolon"},
		{"an empty matrix parameter", "/admin;/x", "semicolon"},
		{"an encoded semicolon", "/admin%3Ba=b", "encoded semicolon"},
		{"a trailing dot", "/admin.", "ends with a dot"},
		{"a trailing encoded dot", "/admin%2e", "ends with a dot"},
		{"a trailing space", "/admin%20", "begins or ends with a space"},
		{"a leading space", "/%20admin", "begins or ends with a space"},
		{"a space that is not encoded", "/a b", "not encoded"},
		{"an overlong slash", "/a%c0%afb", "no UTF-8"},
		{"an overlong dot", "/%c0%ae%c0%ae/a", "no UTF-8"},
		{"an overlong slash of three bytes", "/a%e0%80%afb", "no UTF-8"},
		{"half a surrogate pair", "/%ed%a0%80", "no UTF-8"},
		{"Latin 1", "/%e9t%e9", "no UTF-8"},
		{"a NUL", "/admin%00.png", "encoded control character"},
		{"a NUL that is not encoded", "/admin\x00", "control character"},
		{"a line's end", "/a%0d%0aX-User:root", "encoded control character"},
		{"a line's end that is not encoded", "/a\r\nX-User:root", "control character"},
		{"a tab", "/a%09", "encoded control character"},
		{"a delete", "/a%7f", "encoded control character"},
		{"a control character of the upper half", "/a%c2%85", "invisible character, U+0085"},
		{"a fragment", "/public#/../admin", "fragment"},
		{"an encoded number sign", "/public%23x", "encoded ? or #"},
		{"an encoded question mark", "/public%3fx", "encoded ? or #"},
		{"an absolute target", "http://host/admin", `begins with "http://host/admi"`},
		{"a target for a proxy", "host:443", "begins with"},
		{"an absolute target without a path", "http://host", "begins with"},
		{"an absolute target of a query alone", "http://host?/admin", "begins with"},
		{"a scheme in capitals", "HTTP://host/admin", "begins with"},
		{"a path without its slash", "admin", "begins with"},
		{"a backslash at the start", `\admin`, "begins with"},
		{"a star", "*", "begins with"},
		{"no target", "", "begins with nothing"},
		{"a query alone", "?a=b", "begins with nothing"},
		{"encoded twice", "/%2561dmin", "encoded twice"},
		{"an encoded slash encoded again", "/a%252fb", "encoded twice"},
		{"encoded twice behind a lone percent sign", "/%25%252e", "encoded twice"},
		{"IIS's encoding", "/a%u002fb", "two hexadecimal digits"},
		{"IIS's encoding, encoded", "/a%25u002fb", "encoded twice"},
		{"a percent sign at the end", "/a%", "two hexadecimal digits"},
		{"half an encoding", "/a%2", "two hexadecimal digits"},
		{"no digits", "/a%zz", "two hexadecimal digits"},
		{"a letter that is not encoded", "/é", "outside ASCII"},
		{"a full-width slash", "/a%ef%bc%8fb", "U+FF0F, which some servers take for /"},
		{"a full-width stop", "/%ef%bc%8e%ef%bc%8e/a", "U+FF0E, which some servers take for ."},
		{"a small backslash", "/a%ef%b9%a8b", `U+FE68, which some servers take for \`},
		{"a fraction slash", "/a%e2%81%84b", "U+2044, which some servers take for /"},
		{"a division slash", "/a%e2%88%95b", "U+2215, which some servers take for /"},
		{"a set minus", "/a%e2%88%96b", `U+2216, which some servers take for \`},
		{"a yen sign", "/a%c2%a5b", `U+00A5, which some servers take for \`},
		{"a won sign", "/a%e2%82%a9b", `U+20A9, which some servers take for \`},
		{"a Greek question mark", "/a%cd%beb", "normal form C"},
		{"a number with a stop", "/a%e2%92%88", "U+2488, which some servers take for 1."},
		{"a two-dot leader", "/%e2%80%a5/a", "U+2025, which some servers take for .."},
		{"a no-break space", "/a%c2%a0", "invisible character, U+00A0"},
		{"a zero-width space", "/ad%e2%80%8bmin", "invisible character, U+200B"},
		{"a byte order mark", "/%ef%bb%bfadmin", "invisible character, U+FEFF"},
		{"a text direction", "/a%e2%80%aeb", "invisible character, U+202E"},
		{"letters in pieces", "/e%cc%81te", "normal form C"},
		{"a semicolon in a query", "/a?b=1;c=2", "query: has a semicolon"},
		{"a NUL in a query", "/a?b=%00", "query: has an encoded NUL"},
		{"no UTF-8 in a query", "/a?b=%c0%af", "query: is no UTF-8"},
		{"half an encoding in a query", "/a?b=%2", "query: has a %"},
		{"half an encoding in a parameter's name", "/a?%=2", "query: has a %"},
		{"a space in a query", "/a?b=c d", "query: has a space"},
		{"a line's end in a query", "/a?b=c\r\n", "query: has a space"},
		{"a letter in a query that is not encoded", "/a?b=é", "query: has a space, a control character or one outside ASCII"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got, err := ParseTarget(tt.target)
			if authz.KindOf(err) != authz.Invalid {
				t.Fatalf("%q is read as %q, error %v; want it refused", tt.target, got, err)
			}
			if !strings.Contains(err.Error(), tt.want) {
				t.Errorf("error %q, want it to tell of %q", err, tt.want)
			}
		})
	}
}

func TestTargetsAtTheirLimits(t *testing.T) {
	tests := []struct {
		name       string
		most, more string
	}{
		{"a path's bytes", "/" + strings.Repeat("a", MaxPathBytes-1), "/" + strings.Repeat("a", MaxPathBytes)},
		{"a path's bytes when it is encoded", "/a" + strings.Repeat("{", (MaxPathBytes-2)/3), "/aaaa" + strings.Repeat("{", (MaxPathBytes-2)/3)},
		{"a query's bytes", "/?" + strings.Repeat("a", MaxQueryBytes), "/?" + strings.Repeat("a", MaxQueryBytes+1)},
		{"segments", strings.Repeat("/a", MaxSegments), strings.Repeat("/a", MaxSegments+1)},
		{"segments and a slash", strings.Repeat("/a", MaxSegments) + "/", strings.Repeat("/a", MaxSegments+1) + "/"},
		{"parameters", "/?" + strings.Repeat("a&", MaxParameters), "/?" + strings.Repeat("a&", MaxParameters+1)},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if _, err := ParseTarget(tt.most); err != nil {
				t.Errorf("at the limit: %v", err)
			}
			if _, err := ParseTarget(tt.more); authz.KindOf(err) != authz.Invalid {
				t.Errorf("beyond the limit: error %v, want it refused", err)
			}
		})
	}
}

// FuzzParseTarget holds whatever is read to its form: it reads as itself again, and
// has no trick in it, and a Go server with or without a mux reads it alike.
func FuzzParseTarget(f *testing.F) {
	for _, seed := range []string{
		"/", "/patients/7?full=1&x=%20+", "/%c3%a9/%2525", "/a%2fb", "/..;/x", "/a//b/", "/%25zz%", "/é", "/a%ef%bc%8fb", "/e%cc%81", "http://h/a#b",
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, target string) {
		read, err := ParseTarget(target)
		if err != nil {
			if authz.KindOf(err) != authz.Invalid || !utf8.ValidString(err.Error()) {
				t.Errorf("error %q of kind %v", err, authz.KindOf(err))
			}
			return
		}
		if err := trickIn(read); err != nil {
			t.Errorf("%q is read as %q: %v", target, read, err)
		}
		if served, err := url.ParseRequestURI(target); err != nil || path.Clean(served.Path) != "/"+strings.Join(read.Segments, "/") {
			t.Errorf("%q is read as %q, and by a server as %v, %v", target, read.Path, served, err)
		}
		again, err := ParseTarget(read.Path)
		if err != nil || again.Path != read.Path || !slices.Equal(again.Segments, read.Segments) {
			t.Errorf("%q is read as %q, and that as %q, %v", target, read.Path, again.Path, err)
		}
	})
}

// trickIn looks for tricks in what was read, without the parser's own functions.
func trickIn(read Target) error {
	lower := strings.ToLower(read.Path)
	for _, trick := range []string{"//", `\`, "/.", ";", "#", "?", "%2f", "%5c", "%2e", "%00", "%3b", "%0a", "%0d", "%c0", "%c1", "%u"} {
		if trick == "/." {
			for segment := range strings.SplitSeq(lower, "/") {
				if segment == "." || segment == ".." {
					return errors.New("it has a segment of dots")
				}
			}
			continue
		}
		if strings.Contains(lower, trick) {
			return fmt.Errorf("it has %s", trick)
		}
	}
	if !strings.HasPrefix(read.Path, "/") || len(read.Path) > 1 && strings.HasSuffix(read.Path, "/") {
		return errors.New("it does not begin with a slash, or ends with one")
	}
	for _, segment := range read.Segments {
		switch {
		case segment == "" || !utf8.ValidString(segment) || strings.ContainsAny(segment, "/\\;?#\x00\r\n\t\x7f"):
			return fmt.Errorf("it has the segment %q", segment)
		case strings.TrimRight(segment, ". ") != segment:
			return fmt.Errorf("%q ends with a dot or a space", segment)
		}
	}
	for name, values := range read.Query {
		for _, text := range append(values, name) {
			if !utf8.ValidString(text) || strings.Contains(text, "\x00") {
				return fmt.Errorf("it has the parameter %q", text)
			}
		}
	}
	return nil
}
