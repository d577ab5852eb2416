package mapping

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/verdictpdp/verdict/api/authz"
)

func TestDocument(t *testing.T) {
	document, err := readPatient().Document()
	if err != nil {
		t.Fatal(err)
	}
	want := authz.Object{
		"http": authz.Object{
			"method": "GET", "scheme": "https", "host": "records.example", "path": "/patients/7",
			"segments": []any{"patients", "7"}, "query": authz.Object{"full": []any{"1"}},
			"headers": map[string]string{"accept": "text/html"},
		},
		"source": authz.Object{"address": "10.0.0.7", "principal": "spiffe://example/web"},
		"tenant": "clinic",
	}
	if diff := cmp.Diff(want, document); diff != "" {
		t.Error(diff)
	}
}

func TestDocumentOfLittle(t *testing.T) {
	document, err := (&Message{Method: "GET", Target: "/"}).Document()
	if err != nil {
		t.Fatal(err)
	}
	want := authz.Object{
		"http":   authz.Object{"method": "GET", "scheme": "", "host": "", "path": "/", "segments": []any{}, "query": authz.Object{}, "headers": map[string]string(nil)},
		"source": authz.Object{"address": "", "principal": ""},
		"tenant": "",
	}
	if diff := cmp.Diff(want, document); diff != "" {
		t.Error(diff)
	}
}

func TestHosts(t *testing.T) {
	tests := []struct {
		name, host, want string
		refused          bool
	}{
		{"a name", "Shop.Example", "shop.example", false},
		{"a port", "shop.example:8443", "shop.example", false},
		{"the root's dot", "shop.example.:443", "shop.example", false},
		{"an address", "10.0.0.7:80", "10.0.0.7", false},
		{"an IPv6 address", "[2001:DB8::1]:80", "[2001:db8::1]", false},
		{"an IPv6 address without a port", "[::1]", "[::1]", false},
		{"nothing", "", "", false},
		{"as long as may be", strings.Repeat("a", MaxHostBytes), strings.Repeat("a", MaxHostBytes), false},
		{"too long", strings.Repeat("a", MaxHostBytes+1), "", true},
		{"two", "a.example,b.example", "", true},
		{"two dots at the end", "shop.example..", "", true},
		{"two dots within", "shop..example", "", true},
		{"a dot at the start", ".shop.example", "", true},
		{"a dot alone", ".", "", true},
		{"a port alone", ":80", "", true},
		{"two ports", "shop.example:443:80", "", true},
		{"text behind brackets", "[::1]x", "", true},
		{"percent signs", "shop%2eexample", "", true},
		{"a user", "a@b.example", "", true},
		{"a path", "a.example/x", "", true},
		{"a space", "a .example", "", true},
		{"a port that is none", "a.example:x", "", true},
		{"an open bracket", "[::1", "", true},
		{"colons without brackets", "::1", "", true},
		{"no ASCII", "é.example", "", true},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got, err := hostOf(tt.host)
			if got != tt.want || (authz.KindOf(err) == authz.Invalid && err != nil) != tt.refused {
				t.Errorf("host %q, error %v; want %q, refused %v", got, err, tt.want, tt.refused)
			}
		})
	}
}

func TestJoinHeader(t *testing.T) {
	for name, want := range map[string]string{"accept": "a, b=c", "cookie": "a; b=c"} {
		if got := JoinHeader(name, []string{"a", "b=c"}); got != want {
			t.Errorf("%s is %q, want %q", name, got, want)
		}
	}
}

func TestRefusedMessages(t *testing.T) {
	tests := []struct {
		name, want string
		message    *Message
	}{
		{"no method", "method: is", with(func(m *Message) { m.Method = "" })},
		{"a method with a space", "method: is", with(func(m *Message) { m.Method = "GET /" })},
		{"a method too long", "method: has 33 bytes", with(func(m *Message) { m.Method = strings.Repeat("A", MaxMethodBytes+1) })},
		{"a method within the method", "by which some servers read another request", with(func(m *Message) { m.Headers["x-http-method-override"] = "DELETE" })},
		{"a path within the headers", "x-original-url", with(func(m *Message) { m.Headers["x-original-url"] = "/admin" })},
		{"a rewritten path within the headers", "x-rewrite-url", with(func(m *Message) { m.Headers["x-rewrite-url"] = "/admin" })},
		{"a name of a header with a space", "have the name", with(func(m *Message) { m.Headers["a b"] = "x" })},
		{"a name of a header with an underscore", `have the name "x_user"`, with(func(m *Message) { m.Headers["x_user"] = "root" })},
		{"a name of a header with a dot", `have the name "x.user"`, with(func(m *Message) { m.Headers["x.user"] = "root" })},
		{"a header without a name", "have the name", with(func(m *Message) { m.Headers[""] = "x" })},
		{"a pseudo-header", "have the name", with(func(m *Message) { m.Headers[":path"] = "/admin" })},
		{"a name of a header in capitals", "have the name", with(func(m *Message) { m.Headers["Accept"] = "x" })},
		{"a method within the query", "query: has _method", with(func(m *Message) { m.Method, m.Target = "POST", "/patients/7?_method=DELETE" })},
		{"a method within the query, encoded", "query: has _method", with(func(m *Message) { m.Method, m.Target = "POST", "/patients/7?%5fmetho%64=POST&_method=DELETE" })},
		{"a method within the method in small letters", "by which some servers", with(func(m *Message) { m.Headers["x-http-method-override"] = "get" })},
		{"a path", "path: has two slashes", with(func(m *Message) { m.Target = "/a//b" })},
		{"a host", "host: is", with(func(m *Message) { m.Host = "a b" })},
		{"a principal that is no UTF-8", "principal: is no UTF-8", with(func(m *Message) { m.Principal = "spiffe://example/we\xff" })},
		{"too many headers", "headers: are 129", with(func(m *Message) { m.Headers = manyHeaders(MaxHeaders + 1) })},
		{"headers too large", "headers: have more than", with(func(m *Message) { m.Headers = map[string]string{"a": strings.Repeat("x", MaxHeaderBytes)} })},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			_, err := tt.message.Document()
			if authz.KindOf(err) != authz.Invalid || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("error %v, want it to tell of %q", err, tt.want)
			}
		})
	}
}

func TestMessagesAtTheirLimits(t *testing.T) {
	for name, message := range map[string]*Message{
		"a method":                               with(func(m *Message) { m.Method = strings.Repeat("A", MaxMethodBytes) }),
		"headers":                                with(func(m *Message) { m.Headers = manyHeaders(MaxHeaders) }),
		"bytes of headers":                       with(func(m *Message) { m.Headers = map[string]string{"a": strings.Repeat("x", MaxHeaderBytes-1)} }),
		"an override that is the same":           with(func(m *Message) { m.Headers["x-http-method-override"], m.Headers["x-original-url"] = "GET", m.Target }),
		"a method in the query that is the same": with(func(m *Message) { m.Target = "/a?_method=GET" }),
		"a header that is no UTF-8":              with(func(m *Message) { m.Headers["a"] = "\xff" }),
	} {
		t.Run(name, func(t *testing.T) {
			if _, err := message.Document(); err != nil {
				t.Error(err)
			}
		})
	}
}

func manyHeaders(n int) map[string]string {
	headers := make(map[string]string, n)
	for i := range n {
		headers[fmt.Sprint("h", i)] = "x"
	}
	return headers
}
