package rego_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/open-policy-agent/opa/v1/ast"

	"github.com/verdictpdp/verdict/policy/rego"
)

// calls are one call of each built-in that is off unless it is turned on.
var calls = map[string]string{
	"crypto.x509.parse_and_verify_certificates":              `crypto.x509.parse_and_verify_certificates(input.chain)[0]`,
	"crypto.x509.parse_and_verify_certificates_with_options": `crypto.x509.parse_and_verify_certificates_with_options(input.chain, {})[0]`,
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

// deterministic are the built-ins that were looked through: their results depend
// on their arguments alone, besides the decision's time, the policy's own
// metadata and the tables that a Go program carries. Those of time take names
// of zones, of which "Local" is the machine's: service and CI are to be of one
// zone, or policies to name theirs.
const deterministic = `
abs all and any array.concat array.flatten array.reverse array.slice assign base64.decode base64.encode
base64.is_valid base64url.decode base64url.encode base64url.encode_no_pad bits.and bits.lsh bits.negate
bits.or bits.rsh bits.xor cast_array cast_boolean cast_null cast_object cast_set cast_string ceil concat
contains count crypto.hmac.equal crypto.hmac.md5 crypto.hmac.sha1 crypto.hmac.sha256 crypto.hmac.sha512
crypto.md5 crypto.parse_private_keys crypto.sha1 crypto.sha256 crypto.x509.parse_certificate_request
crypto.x509.parse_certificates crypto.x509.parse_keypair crypto.x509.parse_rsa_private_key div endswith eq
equal floor format_int glob.match glob.quote_meta graph.reachable graph.reachable_paths graphql.is_valid
graphql.parse graphql.parse_and_verify graphql.parse_query graphql.parse_schema graphql.schema_is_valid gt gte
hex.decode hex.encode indexof indexof_n internal.member_2 internal.member_3 internal.print
internal.template_string internal.test_case intersection io.jwt.decode io.jwt.verify_eddsa io.jwt.verify_es256
io.jwt.verify_es384 io.jwt.verify_es512 io.jwt.verify_hs256 io.jwt.verify_hs384 io.jwt.verify_hs512
io.jwt.verify_ps256 io.jwt.verify_ps384 io.jwt.verify_ps512 io.jwt.verify_rs256 io.jwt.verify_rs384
io.jwt.verify_rs512 is_array is_boolean is_null is_number is_object is_set is_string json.filter json.is_valid
json.marshal json.marshal_with_options json.patch json.remove json.unmarshal lower lt lte max min minus mul
neq net.cidr_contains net.cidr_contains_matches net.cidr_expand net.cidr_intersects net.cidr_is_valid
net.cidr_merge net.cidr_overlap numbers.range numbers.range_step object.filter object.get object.keys
object.remove object.subset object.union object.union_n or plus print product providers.aws.sign_req re_match
regex.find_all_string_submatch_n regex.find_n regex.globs_match regex.is_valid regex.match regex.replace
regex.split regex.template_match rego.metadata.chain rego.metadata.rule rego.parse_module rem replace round
semver.compare semver.is_valid set_diff sort split sprintf startswith strings.any_prefix_match
strings.any_suffix_match strings.count strings.render_template strings.replace_n strings.reverse
strings.split_n substring sum time.add_date time.clock time.date time.diff time.format time.parse_duration_ns
time.parse_ns time.parse_rfc3339_ns time.weekday to_number trace trim trim_left trim_prefix trim_right
trim_space trim_suffix type_name union units.parse units.parse_bytes upper uri.is_valid uri.parse
urlquery.decode urlquery.decode_object urlquery.encode urlquery.encode_object uuid.parse walk yaml.is_valid
yaml.marshal yaml.unmarshal
`

// A newer OPA may bring built-ins that nobody has looked through. One that reads
// a clock, the environment, a file, the network or randomness belongs into
// unflagged, and one that does not into the list above.
func TestEveryBuiltinIsJudged(t *testing.T) {
	judged := strings.Fields(deterministic)
	for _, b := range ast.Builtins {
		if off := calls[b.Name] != "" || b.Name == "time.now_ns"; off == slices.Contains(judged, b.Name) {
			t.Errorf("%s: off or the clock is %v, judged deterministic %v; expected one of them", b.Name, off, !off)
		}
	}
	for _, name := range judged {
		if ast.BuiltinMap[name] == nil {
			t.Errorf("there is no built-in %s any more", name)
		}
	}
}
