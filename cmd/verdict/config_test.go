package main

import (
	"encoding/json"
	"math/bits"
	"net/http"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"go.uber.org/zap/zapcore"

	"github.com/verdictpdp/verdict/engine/server/authzen"
)

func TestExampleConfigHoldsEveryDefault(t *testing.T) {
	const example = "../../verdict.example.yaml"
	cfg, err := loadConfig(example, nil)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(defaultConfig(), cfg); diff != "" {
		t.Errorf("the example differs from the defaults (-defaults +example):\n%s", diff)
	}
	text, err := os.ReadFile(example)
	if err != nil {
		t.Fatal(err)
	}
	names := append(settingNames(reflect.TypeFor[config](), ""), settingNames(reflect.TypeFor[tenantConfig](), "")...)
	for _, name := range names {
		last := name[strings.LastIndex(name, ".")+1:]
		if !strings.Contains(string(text), last+":") {
			t.Errorf("the example does not show %s", name)
		}
	}
}

func TestConfigLayers(t *testing.T) {
	file := filepath.Join(t.TempDir(), "verdict.yaml")
	write(t, file, "grpc: {address: 127.0.0.1:1}\nlimits: {input: !!str 2MiB, evaluation: &short 50ms, batch: 2s}\nlog: {level: debug}\n")
	cfg, err := loadConfig(file, []string{"VERDICT_LIMITS_EVALUATION=70ms", "VERDICT_LIMITS_WAIT=3s", "VERDICT_LIMITS_STEPS=500", "VERDICT_LOG_FORMAT=console", "HOME=/nowhere"})
	if err != nil {
		t.Fatal(err)
	}
	want := defaultConfig()
	want.GRPC.Address = "127.0.0.1:1"
	want.Limits.Input = 2 << 20
	want.Limits.Evaluation = duration(70 * time.Millisecond)
	want.Limits.Steps = 500
	want.Limits.Batch = duration(2 * time.Second)
	want.Limits.Wait = duration(3 * time.Second)
	want.Log = logConfig{Level: logLevel(zapcore.DebugLevel), Format: "console"}
	if diff := cmp.Diff(want, cfg); diff != "" {
		t.Errorf("config (-want +got):\n%s", diff)
	}
}

func TestConfigWithoutSettings(t *testing.T) {
	for _, text := range []string{"", "\n", "# comments alone\n", "# comments\n---\n# alone\n", "---\n", "null\n", "limits:\ntenants:\n"} {
		file := filepath.Join(t.TempDir(), "verdict.yaml")
		write(t, file, text)
		cfg, err := loadConfig(file, nil)
		if err != nil {
			t.Errorf("%q: %v", text, err)
			continue
		}
		if diff := cmp.Diff(defaultConfig(), cfg, cmpopts.EquateEmpty()); diff != "" {
			t.Errorf("%q (-want +got):\n%s", text, diff)
		}
	}
}

// TestServiceLinksAreNoSettings holds that what Kubernetes puts into the
// environment beside a Service called verdict keeps nothing from starting.
func TestServiceLinksAreNoSettings(t *testing.T) {
	_, err := loadConfig("", []string{
		"VERDICT_SERVICE_HOST=10.0.0.1", "VERDICT_SERVICE_PORT=8181", "VERDICT_SERVICE_PORT_GRPC=8181",
		"VERDICT_PORT=tcp://10.0.0.1:8181", "VERDICT_PORT_8181_TCP=tcp://10.0.0.1:8181", "VERDICT_PORT_8181_TCP_ADDR=10.0.0.1",
		"VERDICT_ADMIN_SERVICE_HOST=10.0.0.1",
	})
	if err != nil {
		t.Error(err)
	}
}

// TestConfigOfAnotherEditor reads a file as editors on Windows write it, with a byte order
// mark.
func TestConfigOfAnotherEditor(t *testing.T) {
	file := filepath.Join(t.TempDir(), "verdict.yaml")
	write(t, file, "\ufeffdata: d\r\nlimits:\r\n  entities: 7\r\n")
	cfg, err := loadConfig(file, nil)
	if err != nil {
		t.Fatal(err)
	}
	if cfg.Data != "d" || cfg.Limits.Entities != 7 {
		t.Errorf("data is %q and limits.entities %d, want d and 7", cfg.Data, cfg.Limits.Entities)
	}
}

func TestConfigRefusals(t *testing.T) {
	tests := []struct {
		name, file string
		environ    []string
		wants      []string
	}{
		{name: "unknown key", file: "data: d\ngrpcs:\n  address: x\n", wants: []string{"[2:1]", `unknown field "grpcs"`}},
		{name: "unknown key inside", file: "limits:\n  input: 1MiB\n  inptu: 1MiB\n", wants: []string{"[3:3]", `unknown field "inptu"`}},
		{name: "no number", file: "limits:\n  entities: many\n", wants: []string{"[2:13]", `"many" is no whole number`}},
		{name: "no duration", file: "limits:\n  evaluation: 100\n", wants: []string{"[2:15]", `"100" is no duration: expected one such as 100ms`}},
		{name: "negative size", file: "limits:\n  input: -1MiB\n", wants: []string{"[2:10]", `"-1MiB" is no size`}},
		{name: "no number of steps", file: "limits:\n  steps: 2e6\n", wants: []string{"[2:10]", `"2e6" is no whole number`}},
		{name: "a list for a value", file: "limits:\n  input: [1]\n", wants: []string{"[2:10]", "expected one value"}},
		{name: "a list for a text", file: "log:\n  format: [json]\n", wants: []string{"[2:11] expected one value"}},
		{name: "an object for a text", file: "data: {a: b}\n", wants: []string{"[1:7] expected one value"}},
		{name: "an object for a name", file: "tenants: {default: {builtins: [{a: b}]}}\n", wants: []string{"[1:32] expected one value"}},
		{name: "no boolean", file: "tenants: {default: {skip_tests: maybe}}\n", wants: []string{"[1:33] expected true or false"}},
		{name: "no number of a part", file: "tracing: {sampling: few}\n", wants: []string{"[1:21] expected a number, such as 0.01"}},
		{name: "a text for a list", file: "http: {hosts: a}\n", wants: []string{"[1:15] expected a list"}},
		{name: "a text for settings", file: "grpc: 127.0.0.1:1\n", wants: []string{"[1:7] expected settings and their values"}},
		{name: "a number among settings", file: "limits: {steps: 2,000,000}\n", wants: []string{"[1:19] expected the name of a setting"}},
		{name: "a number among callers", file: "callers:\n  tokens: []\n  7: x\n", wants: []string{"[3:3] expected the name of a setting"}},
		{name: "nothing among the members of a list", file: "callers: {roles: [{subject: a, null: b}]}\n", wants: []string{"[1:32] expected the name of a setting"}},
		{name: "a key of another form", file: "? data\n: d\n", wants: []string{"expected the name of a setting"}},
		{name: "a key in what is merged", file: "callers: {<<: {1: x, anonymous: check}}\n", wants: []string{"[1:16] expected the name of a setting"}},
		{name: "second document", file: "data: a\n---\nfoo: b\n", wants: []string{"second YAML document"}},
		{name: "second document behind an empty one", file: "---\n---\ncallers: {anonymous: check}\n", wants: []string{"second YAML document"}},
		{name: "second document behind comments", file: "# a\n---\n# b\n---\ndata: d\n", wants: []string{"second YAML document"}},
		{name: "key twice", file: "data: a\ndata: b\n", wants: []string{"[2:1]", "data"}},
		{name: "no YAML", file: "data: [\n", wants: []string{"[1:"}},
		{name: "size", file: "limits: {input: huge}\n", wants: []string{`"huge" is no size`}},
		{name: "level", file: "log: {level: loud}\n", wants: []string{"[1:14]", `"loud" is no level: expected debug, info, warn or error`}},
		{name: "no duration for a batch", file: "limits:\n  batch: soon\n", wants: []string{"[2:10]", `"soon" is no duration`}},
		{name: "no duration for a wait", environ: []string{"VERDICT_LIMITS_WAIT=30"}, wants: []string{`VERDICT_LIMITS_WAIT: "30" is no duration`}},
		{name: "no boolean in a variable", environ: []string{"VERDICT_METRICS_ENABLED=yes"}, wants: []string{"VERDICT_METRICS_ENABLED: expected true or false"}},
		{name: "no part in a variable", environ: []string{"VERDICT_TRACING_SAMPLING=few"}, wants: []string{"VERDICT_TRACING_SAMPLING: expected a number, such as 0.01"}},
		{name: "unknown variable", environ: []string{"VERDICT_GRPC_ADRESS=x"}, wants: []string{"VERDICT_GRPC_ADRESS is no setting", "VERDICT_GRPC_ADDRESS"}},
		{name: "variable of the wrong type", environ: []string{"VERDICT_LIMITS_ENTITIES=many"}, wants: []string{`VERDICT_LIMITS_ENTITIES: "many" is no whole number`}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			file := filepath.Join(t.TempDir(), "verdict.yaml")
			write(t, file, tt.file)
			_, err := loadConfig(file, tt.environ)
			if err == nil {
				t.Fatal("no error")
			}
			for _, want := range tt.wants {
				if !strings.Contains(err.Error(), want) {
					t.Errorf("error lacks %q:\n%v", want, err)
				}
			}
		})
	}
}

func TestConfigValidateNamesEverySetting(t *testing.T) {
	cfg := defaultConfig()
	cfg.GRPC.Address = ""
	cfg.Limits = limitsConfig{}
	cfg.Directory.Retention = minRetention - 1
	cfg.Log.Format = "xml"
	cfg.Tenants = map[string]tenantConfig{"Bad Name": {Bundle: "b"}}
	err := cfg.validate()
	if err == nil {
		t.Fatal("no error")
	}
	for _, want := range []string{"grpc.address", "limits.input", "limits.evaluation", "limits.steps", "limits.entities", "limits.batch", "limits.search", "limits.wait", "limits.connections", "limits.connections_per_peer", "limits.headers", "limits.calls", "limits.calls_per_peer", "limits.calls_per_connection", "limits.in_flight", "limits.transfer", "limits.idle", "directory.retention", "log.format", "tenants.Bad Name"} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("error lacks %q:\n%v", want, err)
		}
	}
	cfg = defaultConfig()
	cfg.Directory.Retention = minRetention
	cfg.Limits = limitsConfig{Input: maxInput, Evaluation: 1, Steps: 1, Entities: 1, Batch: 1, Search: 1, Wait: 1, Connections: 1, ConnectionsPerPeer: 1, Intake: intakeConfig{
		Headers: minHeaders, Calls: 1, CallsPerPeer: 1, CallsPerConnection: 1, InFlight: maxInput, Transfer: minTransfer, Idle: minIdle,
	}}
	if err := cfg.validate(); err != nil {
		t.Errorf("the smallest retention, the largest input and the smallest other limits: %v", err)
	}
	cfg.Limits.Input++
	cfg.Limits.Intake.Headers, cfg.Limits.Intake.CallsPerConnection = maxHeaders+1, maxCallsPerConnection+1
	for _, want := range []string{"limits.input", "limits.headers", "limits.calls_per_connection"} {
		if err := cfg.validate(); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("limits beyond the largest lack %q: %v", want, err)
		}
	}
}

func TestHTTPSettings(t *testing.T) {
	tests := []struct {
		name, file string
		environ    []string
		want       authzen.Members // left out
		wantErr    string
	}{
		{name: "the default"},
		{name: "some members", file: "http: {context: [decision_id, obligations]}\n", want: authzen.Reasons | authzen.Revisions},
		{name: "none", file: "http: {context: []}\n", want: authzen.AllMembers},
		{name: "some in the environment", environ: []string{"VERDICT_HTTP_CONTEXT=reasons,revisions"}, want: authzen.Obligations | authzen.DecisionID},
		{name: "an unknown one", file: "http: {context: [reason]}\n", wantErr: `http.context: "reason" is none: expected reasons, obligations, decision_id or revisions`},
		{name: "a public URL", file: "http: {public_url: 'https://pdp.example.com'}\n"},
		{name: "a public URL without TLS", environ: []string{"VERDICT_HTTP_PUBLIC_URL=http://pdp.example.com"}, wantErr: `http.public_url: "http://pdp.example.com" is not https`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			file := filepath.Join(t.TempDir(), "verdict.yaml")
			write(t, file, tt.file)
			cfg, err := loadConfig(file, tt.environ)
			if err != nil {
				t.Fatal(err)
			}
			if err := cfg.validate(); tt.wantErr != "" || err != nil {
				if err == nil || tt.wantErr == "" || !strings.Contains(err.Error(), tt.wantErr) {
					t.Errorf("error = %v, want %q", err, tt.wantErr)
				}
				return
			}
			if leftOut, err := cfg.HTTP.leaveOut(); err != nil || leftOut != tt.want {
				t.Errorf("left out = %b, %v, want %b", leftOut, err, tt.want)
			}
		})
	}
}

// TestEachContextByConfiguration serves with each set of members that the file and the
// environment can name.
func TestEachContextByConfiguration(t *testing.T) {
	bundle := tenantConfig{Bundle: t.TempDir(), SkipTests: true}
	write(t, filepath.Join(bundle.Bundle, "authz.rego"), `package authz

allow := true

reasons contains "because"

obligations.mask := "salary"
`)
	names := authzen.MemberNames()
	for set := range 1 << len(names) {
		if testing.Short() && bits.OnesCount(uint(set)) > 1 { // one server after another
			continue
		}
		var asked []string
		for i, name := range names {
			if set&(1<<i) != 0 {
				asked = append(asked, name)
			}
		}
		t.Run(strings.Join(asked, ","), func(t *testing.T) {
			file := filepath.Join(t.TempDir(), "verdict.yaml")
			write(t, file, "http: {context: ["+strings.Join(asked, ", ")+"]}\n")
			cfg, err := loadConfig(file, nil)
			if err != nil {
				t.Fatal(err)
			}
			if len(asked) > 0 { // an empty variable is as good as none
				byEnvironment, err := loadConfig("", []string{"VERDICT_HTTP_CONTEXT=" + strings.Join(asked, ",")})
				if err != nil {
					t.Fatal(err)
				}
				if diff := cmp.Diff(cfg.HTTP, byEnvironment.HTTP); diff != "" {
					t.Errorf("(-file +environment):\n%s", diff)
				}
			}
			s, _ := startService(t, cfg, bundleAt("default", bundle))
			_, text, _ := askOver(t, http.DefaultClient, "http://"+s.httpListener.Addr().String())
			var answer struct{ Context map[string]any }
			if err := json.Unmarshal([]byte(text), &answer); err != nil {
				t.Fatal(err)
			}
			for name, member := range map[string]string{
				"reasons": "reasons", "obligations": "obligations", "decision_id": "decision_id",
				"policy_revision": "revisions", "directory_revision": "revisions",
			} {
				if _, told := answer.Context[name]; told != slices.Contains(asked, member) {
					t.Errorf("%s is told = %v: %s", name, told, text)
				}
			}
		})
	}
}

// FuzzConfig holds that no file makes the reader panic, and that what it
// refuses it refuses with words.
func FuzzConfig(f *testing.F) {
	f.Add([]byte("data: d\nlimits: {input: 1MiB}\n"))
	f.Add([]byte("tenants:\n  a: {bundle: b, builtins: [x]}\n"))
	f.Add([]byte("a: &a [*a]\n"))
	f.Fuzz(func(t *testing.T, text []byte) {
		cfg := defaultConfig()
		if err := cfg.readYAML(text); err != nil {
			if err.Error() == "" {
				t.Error("an error without words")
			}
			return
		}
		if err := cfg.validate(); err != nil && err.Error() == "" {
			t.Error("an error without words")
		}
	})
}

// TestLinesOfAFileAreNotShown reads files that somebody took for the configuration, or put
// into it: what is secret in them must not come to a terminal and a log.
func TestLinesOfAFileAreNotShown(t *testing.T) {
	for name, file := range map[string]string{
		"a private key":            "-----BEGIN PRIVATE KEY-----\nhidden\nhidden==\n-----END PRIVATE KEY-----\n",
		"a token":                  "hidden\n",
		"a name and a password":    "password: hidden\n",
		"a name twice":             "password: hidden\npassword: hidden\n",
		"a JWK":                    `{"kty": "oct", "k": "hidden"}`,
		"a text that does not end": "token: \"hidden\nmore: [hidden,\n",
		"a list":                   "- hidden\n",
		"an alias":                 "password: *hidden\n",
		"an alias to merge":        "<<: *hidden\n",
		"a block":                  "password: |hidden\n x\n",
		"a token as a name":        "verdict_hidden1: 1\n",
		"a token as a name, twice": "data: d\nlimits: {hidden1: 1, hidden1: 2}\n",
		"a long name":              "hidden" + strings.Repeat("n", 40) + ": 1\n",
		"a tab":                    "? password: hidden\n\thidden: [}\n",
		"a Secret of Kubernetes":   "apiVersion: v1\nkind: Secret\ndata:\n  password: hidden\n",
		"a secret beside settings": "data: d\npassword: hidden\n",
	} {
		t.Run(name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "verdict.yaml")
			write(t, path, file)
			_, err := loadConfig(path, nil)
			if err == nil || !strings.Contains(err.Error(), path) {
				t.Fatalf("error %v, want one of the file", err)
			}
			if strings.Contains(err.Error(), "hidden") {
				t.Errorf("what is hidden is shown: %v", err)
			}
		})
	}
}

// settingNames lists the paths of all settings below a struct, as in the file.
func settingNames(t reflect.Type, prefix string) []string {
	var names []string
	for i := range t.NumField() {
		field := t.Field(i)
		tag, _, isInline := strings.Cut(field.Tag.Get("yaml"), ",inline")
		if isInline {
			names = append(names, settingNames(field.Type, prefix)...)
			continue
		}
		name := prefix + tag
		if field.Type.Kind() == reflect.Struct {
			names = append(names, settingNames(field.Type, name+".")...)
			continue
		}
		names = append(names, name)
	}
	return names
}

func write(t *testing.T, file, text string) {
	t.Helper()
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}
