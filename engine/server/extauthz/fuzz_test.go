package extauthz

import (
	"testing"
	"unicode/utf8"

	authv3 "github.com/envoyproxy/go-control-plane/envoy/service/auth/v3"
	"google.golang.org/protobuf/proto"

	"github.com/verdictpdp/verdict/api/authz"
	"github.com/verdictpdp/verdict/engine/mapping"
)

// FuzzCheck holds whatever Envoy may send to being refused or becoming a document
// that a rule can read, whose path has one form, and what is read directly to what the
// generated message says.
func FuzzCheck(f *testing.F) {
	for _, change := range []func(*authv3.AttributeContext_HttpRequest){
		func(*authv3.AttributeContext_HttpRequest) {},
		func(h *authv3.AttributeContext_HttpRequest) { h.Path = "/a/%2e%2e/b;c=d" },
		func(h *authv3.AttributeContext_HttpRequest) { h.Headers["x-http-method-override"] = "DELETE" },
		func(h *authv3.AttributeContext_HttpRequest) { h.Host, h.Method = "[::1]:80", "get" },
	} {
		request := check()
		change(request.Attributes.Request.Http)
		data, err := proto.Marshal(request)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(data)
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		message, _, malformed := readBoth(t, data)
		if malformed != nil {
			return
		}
		document, err := message.Document()
		if err != nil {
			if authz.KindOf(err) != authz.Invalid {
				t.Errorf("error of kind %v: %v", authz.KindOf(err), err)
			}
			return
		}
		checkText(t, document)
		http := document["http"].(authz.Object)
		again, err := mapping.ParseTarget(http["path"].(string))
		if err != nil || again.Path != http["path"] {
			t.Errorf("the path %q is read as %q, %v", http["path"], again.Path, err)
		}
	})
}

// checkText looks for what is no JSON.
func checkText(t *testing.T, value any) {
	switch value := value.(type) {
	case string:
		if !utf8.ValidString(value) {
			t.Errorf("%q is no UTF-8", value)
		}
	case []any:
		for _, element := range value {
			checkText(t, element)
		}
	case authz.Object:
		for name, member := range value {
			checkText(t, name)
			checkText(t, member)
		}
	case map[string]string:
		for name, member := range value {
			checkText(t, name)
			checkText(t, member)
		}
	default:
		t.Errorf("a %T is in the document", value)
	}
}
