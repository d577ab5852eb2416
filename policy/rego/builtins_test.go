package rego_test

import (
	"strings"
	"testing"

	"github.com/open-policy-agent/opa/v1/ast"

	"github.com/verdictpdp/verdict/policy/rego"
)

// calls are one call of each built-in that is off unless it is turned on.
var calls = map[string]string{
	"http.send":              `http.send({"method": "get", "url": "http://localhost"}).status == 200`,
	"io.jwt.decode_verify":   `io.jwt.decode_verify(input.token, {"secret": "s"})[0]`,
	"io.jwt.encode_sign":     `io.jwt.encode_sign({}, {}, {}) == input.token`,
	"io.jwt.encode_sign_raw": `io.jwt.encode_sign_raw("", "", "") == input.token`,
	"json.match_schema":      `json.match_schema(input, {})[0]`,
	"json.verify_schema":     `json.verify_schema(input)[0]`,
	"net.lookup_ip_addr":     `"10.0.0.1" in net.lookup_ip_addr("localhost")`,
	"opa.runtime":            `opa.runtime().env.DEBUG == "1"`,
	"rand.intn":              `rand.intn("dice", 6) == 5`,
	"uuid.rfc4122":           `uuid.rfc4122("x") == input.id`,
}

func TestBuiltinsAreOffUnlessTurnedOn(t *testing.T) {
	for name, call := range calls {
		t.Run(name, func(t *testing.T) {
			module := files{"x.rego": "package authz\n\nallow if " + call}

			_, err := rego.Compile(read(t, module), rego.Options{})
			wantInvalid(t, err, "b/x.rego:3: "+name+" is turned off", "builtins: ["+name+"]")

			compile(t, module, rego.Options{Builtins: []string{name}})
		})
	}
}

// A newer OPA may bring built-ins that are off; each must have its case above.
func TestEveryNondeterministicBuiltinIsOff(t *testing.T) {
	for _, b := range ast.Builtins {
		if b.Nondeterministic && b.Name != "time.now_ns" && calls[b.Name] == "" {
			t.Errorf("%s has no case", b.Name)
		}
	}
}

func TestSchemasAreFetchedFromNowhereUnlessRequestsAreOn(t *testing.T) {
	module := files{"x.rego": "package authz\n\nallow := true"}
	closed := compile(t, module, rego.Options{Builtins: []string{"json.match_schema"}})
	if hosts := closed.Compiler().Capabilities().AllowNet; hosts == nil || len(hosts) != 0 {
		t.Errorf("hosts %v may be reached, want none", hosts)
	}
	open := compile(t, module, rego.Options{Builtins: []string{"http.send"}})
	if hosts := open.Compiler().Capabilities().AllowNet; hosts != nil {
		t.Errorf("only hosts %v may be reached, want all", hosts)
	}
}

func TestUnknownBuiltinsAreRefusedByName(t *testing.T) {
	for _, c := range []struct {
		name     string
		builtins []string
		parts    []string
	}{
		{"a slip", []string{"http.send", "htp.send"}, []string{"builtins[1]: ", `no built-in "htp.send"`, "did you mean http.send?", "uuid.rfc4122"}},
		{"a slip in a short name", []string{"rand.int"}, []string{"did you mean rand.intn?"}},
		{"one that is always on", []string{"count"}, []string{"builtins[0]: count is always on"}},
		{"the clock", []string{"time.now_ns"}, []string{"time.now_ns is always on"}},
		{"several", []string{"a", "b"}, []string{"builtins[0]: ", "builtins[1]: "}},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, err := rego.Compile(read(t, files{"x.rego": "package authz\n\nallow := true"}), rego.Options{Builtins: c.builtins})
			wantInvalid(t, err, c.parts...)
		})
	}
	t.Run("nothing like any", func(t *testing.T) {
		_, err := rego.Compile(read(t, files{"x.rego": "package authz"}), rego.Options{Builtins: []string{"teleport"}})
		if err == nil || strings.Contains(err.Error(), "did you mean") {
			t.Errorf("got %v, want an error without a suggestion", err)
		}
	})
}
