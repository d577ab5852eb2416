package topdown

import (
	"errors"
	"testing"

	"github.com/open-policy-agent/opa/v1/ast"
	"github.com/open-policy-agent/opa/v1/topdown"
	"github.com/open-policy-agent/opa/v1/topdown/builtins"
)

// Templates come out as OPA's own function has them, and where it errs, with the
// same code.
func TestTemplatesYieldWhatOPAYields(t *testing.T) {
	const variables = `{"n": 3, "big": 12345678901234567890, "f": 1.50, "s": "a<b>&'\"c", "b": true, "none": null, "list": [1, "two", [3], {"k": "v"}],
		"empty": [], "map": {"x": 1, "y": {"z": "deep"}}, "String": "own", "format": "%s-%s"}`
	tests := []struct{ name, template, variables string }{
		{"nothing to fill in", "as it is {{/* but for this */}}", variables},
		{"members", "{{.n}} {{.big}} {{.f}} {{.s}} {{.b}} {{.none}} {{.list}} {{.map}} {{.}}", variables},
		{"what is missing", "{{.missing}} {{.map.missing}} {{index .map \"missing\"}}", variables},
		{"what is missing in nothing", "{{.missing.more}}", variables},
		{"a range", "{{range .list}}[{{.}}]{{end}}{{range $i, $e := .list}}{{$i}}={{$e}},{{end}}{{range .empty}}x{{else}}none{{end}}{{range $k, $v := .map}}{{$k}}:{{$v}};{{end}}", variables},
		{"a range in a range", "{{range .list}}{{range $.list}}x{{end}};{{end}}", variables},
		{"a range over a number", "{{range 3}}{{.}}{{end}}{{range $i := 2}}{{$i}}{{end}}", variables},
		{"a range over the request's number", "{{range .n}}x{{end}}", variables},
		{"leaving and going on", "{{range $i, $e := .list}}{{if eq $i 1}}{{continue}}{{end}}{{if eq $i 3}}{{break}}{{end}}{{$e}}{{end}}", variables},
		{"a long text, in small parts and in large ones", `{{range $i := 40000}}{{$i}} {{end}}{{range 5}}{{printf "%030000d" .}}{{end}}{{range 3}}{{printf "%0100000d" .}}{{end}}`, variables},
		{"conditions", "{{if .b}}yes{{else}}no{{end}}{{if .none}}yes{{else if .n}}n{{end}}{{with .map}}{{.x}}{{else}}none{{end}}{{with .empty}}x{{else with .s}}{{.}}{{end}}", variables},
		{"trimmed space", " {{- range .list -}} \n {{.}} {{- end -}} ", variables},
		{"templates in templates", `{{define "one"}}<{{.}}>{{end}}{{define "two"}}{{template "one" .x}}{{template "one"}}{{end}}{{template "two" .map}}{{block "three" .n}}{{.}}!{{end}}`, variables},
		{"a template in itself", `{{define "down"}}{{.}}{{if .}}{{if gt (len .) 1}}{{template "down" (slice . 1)}}{{end}}{{end}}{{end}}{{template "down" "abc"}}`, variables},
		{"texts", "{{print .n .s 1 2}}{{println .list}}{{html .s}}{{js .s}}{{urlquery .s .n}}", variables},
		{"formats", `{{printf "%s %v %q %5s %-5s| %.1s %[2]v %%" .n .s .s "a" "b" "cd"}}{{printf .format .s .n}}`, variables},
		{"verbs that do not fit", `{{printf "%d %t %x %T %v %d" .n .n .n .n .map}}`, variables},
		{"an operand as wide as another says", `{{printf "%*s" 5 "a"}}`, variables},
		{"piped", `{{.s | printf "%s:%s" "x" | len}}{{"a" | print | html}}`, variables},
		{"comparisons", `{{eq .n 3}}{{ne .s "a"}}{{eq .s "b" "a"}}{{lt 1 2}}{{and .b .none}}{{or .none "x"}}{{not .b}}`, variables},
		{"a number compared with a text", `{{eq .n "3"}}`, variables},
		{"elements", `{{index .list 1}}{{index .map "y" "z"}}{{slice .s 1 2}}{{len .list}}`, variables},
		{"an element that is not there", `{{index .list 9}}`, variables},
		{"a number's method", `{{.n.String}}`, variables},
		{"a number's other method", `{{(index .list 0).Int64}}`, variables},
		{"a member named as a method", `{{.String}}`, variables},
		{"a function that there is not", `{{step}}`, variables},
		{"a template that there is not", `{{template "gone"}}`, variables},
		{"no template", `{{range}`, variables},
		{"no value", "<no value> {{.missing}}", variables},
		{"a set", `{{.a}}`, `{"a": {1}}`},
		{"a key that is no text", `{{.a}}`, `{1: 2}`},
		{"texts that JSON escapes", `{{.a}}`, `{"a": "\u0001\u00e9\n"}`},
	}
	opas, ours := topdown.GetBuiltin(ast.RenderTemplate.Name), standIns["verdict."+ast.RenderTemplate.Name].Func
	run := func(f topdown.BuiltinFunc, operands ...*ast.Term) (text, code string) {
		err := f(topdown.BuiltinContext{}, operands, func(term *ast.Term) error { text = term.String(); return nil })
		if err == nil {
			return text, ""
		}
		if own, is := errors.AsType[*topdown.Error](err); is {
			return "", own.Code
		}
		if _, is := errors.AsType[builtins.ErrOperand](err); is {
			return "", topdown.TypeErr
		}
		return "", topdown.BuiltinErr
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			operands := []*ast.Term{ast.StringTerm(tt.template), ast.MustParseTerm(tt.variables)}
			want, wantCode := run(opas, operands...)
			got, code := run(ours, operands...)
			if got != want || code != wantCode {
				t.Errorf("is %s%s, expected %s%s", got, code, want, wantCode)
			}
		})
	}
	for _, operands := range [][]*ast.Term{{ast.IntNumberTerm(1), ast.ObjectTerm()}, {ast.StringTerm(""), ast.ArrayTerm()}} {
		if _, code := run(ours, operands...); code != topdown.TypeErr {
			t.Errorf("of %v, the error has code %q", operands, code)
		}
	}
}
