package closure

import (
	"fmt"
	"strings"
	"testing"

	"github.com/open-policy-agent/opa/v1/ast"

	"github.com/verdictpdp/verdict/engine/eval/evaltest"
	"github.com/verdictpdp/verdict/policy/rego"
)

// What the package's doc says is left of a policy is what is left of it.
// planned is a policy's plan, with its static data.
func planned(t *testing.T, c evaltest.Case) source {
	t.Helper()
	policy := c.Policy(t)
	query, err := policy.Query()
	if err != nil {
		t.Fatal(err)
	}
	plan, err := rego.Plan(t.Context(), policy.Compiler(), query)
	if err != nil {
		t.Fatal(err)
	}
	return source{plan: plan, static: ast.NewTerm(policy.Data())}
}

func TestWhatIsLeft(t *testing.T) {
	s := planned(t, evaltest.Case{Rego: `
allow if {
	input.action.name == "read"
	"nurse" in user.attributes.roles
}
user := data.directory.user[input.subject.id]
`})
	s.adapt = func(t *tree) error {
		_, err := yieldsOf(t, rego.Rules[:])
		return err
	}
	_, whole, err := compile(s)
	if err != nil {
		t.Fatal(err)
	}
	const nurse = `differ internal.member_2("nurse", data["directory"]["user"][input["subject"]["id"]]["attributes"]["roles"]), false` + "\n"
	reading := specialise(whole, map[string]*ast.Term{"action.name": ast.StringTerm("read")}, s.static, maxVariantSize)
	for _, test := range []struct {
		name string
		tree *tree
		want string
	}{
		{"for all requests", whole, `equal input["action"]["name"], "read"` + "\n" + nurse + "l0 = true\n"},
		{"for requests to read", reading, nurse + "l0 = true\n"},
	} {
		if got := written(test.tree.plan); got != test.want || len(test.tree.functions) > 0 {
			t.Errorf("%s, what is left besides %d functions is\n%swant\n%s", test.name, len(test.tree.functions), got, test.want)
		}
	}
}

// written is a block as the package's doc writes statements, groups left out.
func written(b *block) string {
	var text strings.Builder
	everyStatement(b, func(s statement) {
		switch s := s.(type) {
		case *group:
		case *assign:
			fmt.Fprintf(&text, "l%d = %s\n", s.to, writtenExpression(s.value))
		default:
			text.WriteString(strings.TrimPrefix(fmt.Sprintf("%T ", s), "*closure."))
			var operands []string
			eachOperand(s, func(e expression) expression {
				operands = append(operands, writtenExpression(e))
				return e
			})
			text.WriteString(strings.Join(operands, ", ") + "\n")
		}
	})
	return text.String()
}

func writtenExpression(e expression) string {
	switch e := e.(type) {
	case constant:
		return e.term.String()
	case inputDocument:
		return "input"
	case dataDocument:
		return "data"
	case dot:
		return writtenExpression(e.of) + "[" + writtenExpression(e.key) + "]"
	case callBuiltin:
		args := make([]string, len(e.args))
		for i, arg := range e.args {
			args[i] = writtenExpression(arg)
		}
		return e.name + "(" + strings.Join(args, ", ") + ")"
	default:
		return fmt.Sprintf("%#v", e)
	}
}
