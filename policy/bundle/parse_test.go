package bundle_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/verdictpdp/verdict/api/authz"
	"github.com/verdictpdp/verdict/policy/bundle"
)

const allow = "package authz\n\nallow := true\n"

func TestReadRefuses(t *testing.T) {
	for _, c := range []struct {
		name  string
		files files
		parts []string
	}{
		{"Rego that does not parse", files{"authz.rego": "package authz\n\nallow if {"}, []string{"b/authz.rego:3: "}},
		{"old Rego", files{"authz.rego": "package authz\n\nallow {\n\tinput.x\n}"}, []string{"b/authz.rego:3: ", "if"}},
		{"an empty module", files{"authz.rego": ""}, []string{"authz.rego", "empty module"}},
		{"metadata that is no YAML", files{"authz.rego": "package authz\n\n# METADATA\n# title: [\nallow := true"}, []string{"b/authz.rego:4: "}},
		{"a test that does not parse", files{"authz_test.rego": "package authz_test\n\ntest_x if"}, []string{"b/authz_test.rego:3: "}},
		{"JSON that does not parse", files{"data.json": "{\n  \"a\": 1,\n}"}, []string{"b/data.json:3: invalid character"}},
		{"JSON that goes on", files{"data.json": "{}\n{}"}, []string{"b/data.json:2: "}},
		{"data that is no object", files{"data.json": "[1]"}, []string{"must be object"}},
		{"YAML that does not parse", files{"data.yaml": "a: 1\nb: c: d"}, []string{"b/data.yaml: ", "line 2"}},
		{"YAML whose aliases explode", files{"data.yaml": laughs()}, []string{"b/data.yaml: ", "aliasing"}},
		{"JSON nested too deep", files{"data.json": `{"a":` + strings.Repeat("[", 1e5) + strings.Repeat("]", 1e5) + "}"}, []string{"b/data.json:1: ", "max depth"}},
		{"Rego nested too deep", files{"authz.rego": "package authz\n\nx := " + strings.Repeat("[", 2e5)}, []string{"b/authz.rego:3: ", "max parsing recursion depth", "[…"}},
		{"data that stands twice", files{"data.json": `{"a": 1}`, "a/data.json": "2"}, []string{"a"}},
		{"a manifest that does not parse", files{".manifest": `{"revision": }`}, []string{"b/.manifest:1: "}},
		{"a manifest of other types", files{".manifest": "{\n \"revision\": 5}"}, []string{"b/.manifest:2: member revision: expected a string, not number"}},
		{"a manifest whose roots are no strings", files{".manifest": `{"roots": [1]}`}, []string{"b/.manifest:1: member roots: expected a string, not number"}},
		{"a manifest whose roots are no list", files{".manifest": `{"roots": "a"}`}, []string{"member roots: expected an array, not string"}},
		{"a manifest whose version is no number", files{".manifest": `{"rego_version": 0.5}`}, []string{"member rego_version: expected a whole number, not number 0.5"}},
		{"a manifest that is no object", files{".manifest": `[]`}, []string{"b/.manifest:1: expected an object, not array"}},
		{"a name that stands twice", files{"data.json": "{\"a\": {\n \"b\": 1,\n \"b\": 2}}"}, []string{"b/data.json:3: the member /a/b stands twice"}},
		{"a name that stands twice in the manifest", files{".manifest": `{"revision": "1", "revision": "2"}`}, []string{"b/.manifest:1: the member /revision stands twice"}},
		{"JSON that is no UTF-8", files{"data.json": "{\"a\": \"\xff\"}"}, []string{"b/data.json:1: ", "UTF-8"}},
		{"a manifest below the top", files{"sub/.manifest": "{}"}, []string{"b/sub/.manifest: ", "give b/sub itself"}},
		{"two manifests", files{".manifest": "{}", ".manifest.pb": ""}, []string{"multiple manifest files"}},
		{"a revision too long", files{".manifest": `{"revision": "` + strings.Repeat("r", bundle.MaxRevisionBytes+1) + `"}`}, []string{"257 bytes", "at most 256"}},
		{"an unknown version of Rego", files{".manifest": `{"rego_version": 7}`}, []string{"7"}},
		{"roots that overlap", files{".manifest": `{"roots": ["a", "a/b"]}`}, []string{"overlapped roots"}},
		{"data outside the roots", files{".manifest": `{"roots": ["authz"]}`, "other/data.json": "{}"}, []string{"roots", "/other"}},
		{"policy outside the roots", files{".manifest": `{"roots": ["authz"]}`, "hr.rego": "\npackage hr"}, []string{"b/hr.rego:2: ", "package hr lies outside the manifest's roots [\"authz\"]"}},
		{"compiled policy", files{"policy.wasm": ""}, []string{"b/policy.wasm: ", "opa build -t rego"}},
		{"a delta bundle", files{"patch.json": "{}"}, []string{"b/patch.json: ", "whole bundle"}},

		{"a root in data.directory", files{".manifest": `{"roots": ["directory/user"]}`}, []string{"b/.manifest: ", `"directory/user" reaches into data.directory`}},
		{"data under directory", files{"directory/user/data.json": "{}"}, []string{"b/directory/user/data.json: ", "data.directory belongs"}},
		{"a member directory", files{"data.yaml": "directory: {}"}, []string{"b/data.yaml: ", "data.directory belongs"}},
		{"a package in data.directory", files{"x.rego": "package directory.user"}, []string{"b/x.rego:1: ", "package directory.user reaches into data.directory"}},
		{"a test package in data.directory", files{"x_test.rego": "package directory"}, []string{"b/x_test.rego:1: "}},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, err := bundle.ReadFS(below("b", c.files).fs(), "b")
			wantError(t, err, authz.Invalid, c.parts...)
		})
	}
}

func TestReadTakes(t *testing.T) {
	for _, c := range []struct {
		name  string
		files files
	}{
		{"nothing but policy", files{"authz.rego": allow}},
		{"a manifest without roots", files{".manifest": `{"revision": "r"}`, "authz.rego": allow}},
		{"roots that are all of data", files{".manifest": `{"roots": [""]}`, "authz.rego": allow}},
		{"a revision as long as may be", files{".manifest": `{"revision": "` + strings.Repeat("r", bundle.MaxRevisionBytes) + `"}`}},
		{"a package that begins like directory", files{"x.rego": "package directory_rules", "data.json": `{"directories": 1}`}},
		{"directory below another name", files{"x.rego": "package authz.directory", "authz/data.json": `{"limits": {"directory": 1}}`}},
		{"tests outside the roots", files{".manifest": `{"roots": ["authz"]}`, "authz.rego": allow, "authz_test.rego": "package authz_test"}},
		{"rego.v1", files{"authz.rego": "package authz\n\nimport rego.v1\n\nallow if true"}},
		{"rego.v2", files{"authz.rego": "package authz\n\nimport rego.v2\n\nallow if not input.x == 1"}},
		{"old Rego that says so", files{".manifest": `{"rego_version": 0}`, "authz.rego": "package authz\n\nallow { input.x }"}},
		{"one old file that says so", files{
			".manifest":  `{"file_rego_versions": {"/old/*.rego": 0}}`,
			"authz.rego": "package authz\n\nallow if data.old.allow", "old/x.rego": "package old\n\nallow { input.x }",
		}},
		{"a patch of something else", files{"k8s/patch.json": "{}", "authz.rego": allow}},
		{"signatures", files{".signatures.json": `{}`, "authz.rego": allow}},
	} {
		t.Run(c.name, func(t *testing.T) {
			if _, err := bundle.ReadFS(below("b", c.files).fs(), "b"); err != nil {
				t.Error(err)
			}
		})
	}
}

func TestReadReportsAllFaultsAtOnce(t *testing.T) {
	_, err := bundle.ReadFS(files{
		"a.rego":      "package a\n\nx if {",
		"b.rego":      "package b\n\ny if {",
		"c.rego":      "package directory",
		"c_test.rego": "package c\n\n}",
	}.fs(), ".")
	var fields []string
	for _, v := range authz.ViolationsOf(err) {
		fields = append(fields, v.Field)
	}
	if diff := cmp.Diff([]string{"a.rego:3", "b.rego:3", "c_test.rego:3", "c.rego:1"}, fields); diff != "" {
		t.Errorf("fields of the violations (-want +got):\n%s", diff)
	}
}

func TestReadReportsAllDocumentsAtOnce(t *testing.T) {
	_, err := bundle.ReadFS(files{"data.json": "{", "a/data.json": "\n\n]", ".manifest": "[]"}.fs(), ".")
	wantError(t, err, authz.Invalid, "data.json:1: ", "a/data.json:3: ", ".manifest:1: ")
}

// laughs are ten words in a list, ten of the lists in a list, and so on.
func laughs() string {
	var text strings.Builder
	text.WriteString("a: &a [" + strings.Repeat("x, ", 10) + "]\n")
	for name := 'b'; name < 'j'; name++ {
		fmt.Fprintf(&text, "%c: &%c [%s]\n", name, name, strings.Repeat(fmt.Sprintf("*%c, ", name-1), 10))
	}
	return text.String()
}

// below puts files below a directory.
func below(dir string, f files) files {
	moved := make(files)
	for name, text := range f {
		moved[dir+"/"+name] = text
	}
	return moved
}
