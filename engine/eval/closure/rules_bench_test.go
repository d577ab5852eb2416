package closure

import (
	"fmt"
	"strings"
	"testing"

	"github.com/verdictpdp/verdict/api/authz"
	"github.com/verdictpdp/verdict/engine/eval"
	"github.com/verdictpdp/verdict/engine/eval/evaltest"
	"github.com/verdictpdp/verdict/engine/eval/topdown"
)

// BenchmarkManyRules measures what one rule costs and what the last of many does,
// by what tells them apart.
//
//	go test -run '^$' -bench ManyRules -benchtime 2000x ./engine/eval/closure
func BenchmarkManyRules(b *testing.B) {
	forms := []struct{ name, condition string }{
		{"text", `input.context.text == "a-%d"`},
		{"number", `input.context.number == %d`},
		{"prefix", `startswith(input.context.text, "a-%d")`},
		{"member", `"a-%d" in input.context.texts`},
		{"attribute", `data.directory.user[input.subject.id].attributes.text == "a-%d"`},
		{"fixed-attribute", `data.directory.user.mina.attributes.number == %d`},
		{"named-attribute", `subject.attributes.text == "a-%d"`},
		{"member-of-attribute", `"a-%d" in subject.attributes.texts`},
	}
	for _, form := range forms {
		for _, n := range []int{1, 500, 5000} {
			last := n - 1
			text := fmt.Sprintf("a-%d", last)
			c := evaltest.Case{
				Rego:      strings.Join(numbered(n, "allow if { "+form.condition+"; input.action.name == \"read\" }"), "\n") + "\nsubject := data.directory.user[input.subject.id]",
				Directory: fmt.Sprintf(`{"entity": {"type": "user", "id": "mina", "attributes": {"text": %[1]q, "number": %[2]d, "texts": ["b", %[1]q]}}}`, text, last),
				Request:   asks(authz.Object{"text": text, "number": last, "texts": []any{"b", text}}),
			}
			for _, evaluator := range []eval.Evaluator{New(), topdown.New()} {
				b.Run(fmt.Sprintf("%s/%d/%s", form.name, n, evaluator.Name()), func(b *testing.B) {
					program, in := c.Prepare(b, evaluator), c.Input(b)
					b.ReportAllocs()
					for b.Loop() {
						if got, err := program.Eval(b.Context(), in); err != nil || !got.Allow {
							b.Fatal(got, err)
						}
					}
				})
			}
		}
	}
}
