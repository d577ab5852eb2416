package mapping

import (
	"strings"
	"unicode/utf8"

	"github.com/verdictpdp/verdict/api/authz"
)

// Limits of a message.
const (
	MaxMethodBytes = 32       // bytes of a method
	MaxHostBytes   = 255      // bytes of a host, with its port
	MaxHeaders     = 128      // headers, each name once
	MaxHeaderBytes = 64 << 10 // bytes of all headers, names and values
)

// A Message is an HTTP request as a proxy tells of it.
type Message struct {
	// Tenant is whose policy maps and decides.
	Tenant string
	// Method, Scheme and Host are the request's; Host may have a port. Scheme and
	// Host may be empty, where the proxy does not tell.
	Method, Scheme, Host string
	// Target is the request's target as the proxy forwards it, a path and perhaps a
	// query.
	Target string
	// Headers are the request's, by their names in small letters. What was sent
	// several times has its values with commas between.
	Headers map[string]string
	// Address is where the request comes from, and Principal the identity in the
	// certificate of whoever sent it, as the proxy has verified them. Either may be
	// empty.
	Address, Principal string
}

// JoinHeader makes one value of all those of a header, by its name in small letters:
// with commas between, or semicolons where it is cookie, as HTTP/1.1 would have them
// in one line (RFC 9113, section 8.2.3).
func JoinHeader(name string, values []string) string {
	if name == "cookie" {
		return strings.Join(values, "; ")
	}
	return strings.Join(values, ", ")
}

// HostName is a host as the rule is given it; empty where it is refused.
func HostName(host string) string {
	name, err := hostOf(host)
	if err != nil {
		return ""
	}
	return name
}

// Document is what the rule is given, as the package verdict.http tells. An error
// of kind Invalid says what of the message is refused.
func (m *Message) Document() (authz.Object, error) {
	if err := checkMethod(m.Method); err != nil {
		return nil, err
	}
	host, err := hostOf(m.Host)
	if err != nil {
		return nil, err
	}
	target, err := ParseTarget(m.Target)
	if err != nil {
		return nil, err
	}
	for _, method := range target.Query["_method"] {
		if method != m.Method {
			return nil, refuse("query", "has _method, by which some servers read another method")
		}
	}
	if !utf8.ValidString(m.Principal) {
		return nil, refuse("principal", "is no UTF-8: another could look the same")
	}
	headers, err := m.headers()
	if err != nil {
		return nil, err
	}
	return authz.Object{
		"http": authz.Object{
			"method":   m.Method,
			"scheme":   valid(strings.ToLower(m.Scheme)),
			"host":     host,
			"path":     target.Path,
			"segments": list(target.Segments),
			"query":    queryOf(target.Query),
			"headers":  headers,
		},
		"source": authz.Object{"address": valid(m.Address), "principal": m.Principal},
		"tenant": valid(m.Tenant),
	}, nil
}

// contextOf is what a document says about a request, for a policy to decide by. The
// headers are not among it: they hold secrets, and decisions are recorded.
func contextOf(document authz.Object) authz.Object {
	http, source := document["http"].(authz.Object), document["source"].(authz.Object)
	return authz.Object{
		"method": http["method"], "scheme": http["scheme"], "host": http["host"],
		"path": http["path"], "query": http["query"], "address": source["address"],
	}
}

// headers are the headers as the rule is given them.
func (m *Message) headers() (map[string]string, error) {
	if len(m.Headers) > MaxHeaders {
		return nil, refuse("headers", "are %d: at most %d are allowed", len(m.Headers), MaxHeaders)
	}
	size, areValid := 0, true
	for name, value := range m.Headers {
		if size += len(name) + len(value); size > MaxHeaderBytes {
			return nil, refuse("headers", "have more than %d bytes", MaxHeaderBytes)
		}
		if err := m.checkHeader(name, value); err != nil {
			return nil, err
		}
		areValid = areValid && utf8.ValidString(value)
	}
	if areValid {
		return m.Headers, nil
	}
	headers := make(map[string]string, len(m.Headers))
	for name, value := range m.Headers {
		headers[name] = valid(value)
	}
	return headers, nil
}

// checkHeader refuses headers by which some backends read another request than the
// one that is decided.
func (m *Message) checkHeader(name, value string) error {
	meant := ""
	switch name {
	case "x-http-method-override", "x-http-method", "x-method-override":
		meant = m.Method
	case "x-original-url", "x-rewrite-url":
		meant = m.Target
	default:
		// CGI, WSGI, PHP and their like take X_User and X.User for X-User.
		if !isHeaderName(name) {
			return refuse("headers", "have the name %s: expected small letters, digits and hyphens, since some servers take others for a hyphen", authz.Quote(name))
		}
		return nil
	}
	if value != meant {
		return refuse("headers", "have %s, by which some servers read another request", name)
	}
	return nil
}

// isHeaderName reports whether a text is a header's name in small letters that all
// servers tell from others. Methods and the policy's own headers may be any token.
func isHeaderName(name string) bool {
	for i := range len(name) {
		if b := name[i]; (b < 'a' || b > 'z') && (b < '0' || b > '9') && b != '-' {
			return false
		}
	}
	return name != ""
}

func checkMethod(method string) error {
	switch {
	case len(method) > MaxMethodBytes:
		return refuse("method", "has %d bytes: at most %d are allowed", len(method), MaxMethodBytes)
	case !isToken(method):
		return refuse("method", "is %s: expected one such as GET", authz.Quote(method))
	}
	return nil
}

// hostOf is a host in small letters, without its port and the dot of the root.
func hostOf(host string) (string, error) {
	if len(host) > MaxHostBytes {
		return "", refuse("host", "has %d bytes: at most %d are allowed", len(host), MaxHostBytes)
	}
	name, port := host, ""
	// The colons of an IPv6 address stand in brackets.
	if colon := strings.LastIndexByte(host, ':'); colon > strings.LastIndexByte(host, ']') {
		name, port = host[:colon], host[colon+1:]
	}
	name = strings.TrimSuffix(name, ".")
	if strings.Trim(port, "0123456789") != "" || !isHost(name) || name == "" && host != "" {
		return "", refuse("host", "is %s: expected a name or an address, and perhaps a port", authz.Quote(host))
	}
	return strings.ToLower(name), nil
}

// isHost reports whether a text is a name, or an address in brackets where it has
// colons, by its characters alone, and has no dot that stands for nothing.
func isHost(name string) bool {
	if strings.HasPrefix(name, ".") || strings.HasSuffix(name, ".") || strings.Contains(name, "..") {
		return false
	}
	inner, bracketed := strings.CutPrefix(name, "[")
	if bracketed {
		if inner, bracketed = strings.CutSuffix(inner, "]"); !bracketed {
			return false
		}
	}
	for i := range len(inner) {
		switch b := inner[i]; {
		case b >= 'a' && b <= 'z', b >= 'A' && b <= 'Z', b >= '0' && b <= '9', b == '-', b == '.', b == '_':
		case b == ':' && bracketed:
		default:
			return false
		}
	}
	return true
}

// isToken reports whether a text is a token (RFC 9110, section 5.6.2), as methods
// and names of headers are.
func isToken(s string) bool {
	for i := range len(s) {
		if !inToken[s[i]] {
			return false
		}
	}
	return s != ""
}

// inToken are the bytes of a token: letters, digits and some signs.
var inToken = func() (set [256]bool) {
	for _, b := range []byte("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789!#$%&'*+-.^_`|~") {
		set[b] = true
	}
	return set
}()

// valid is a text with what is no UTF-8 written as Envoy writes it. Nothing that
// decides can rest on such text: it is not what was sent.
func valid(text string) string { return strings.ToValidUTF8(text, "!") }

func list(texts []string) []any {
	values := make([]any, len(texts))
	for i, text := range texts {
		values[i] = text
	}
	return values
}

func queryOf(query map[string][]string) authz.Object {
	values := make(authz.Object, len(query))
	for name, texts := range query {
		values[name] = list(texts)
	}
	return values
}
