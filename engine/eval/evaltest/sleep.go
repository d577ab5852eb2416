package evaltest

import (
	"sync"
	"time"

	"github.com/open-policy-agent/opa/v1/ast"
	"github.com/open-policy-agent/opa/v1/topdown"
	"github.com/open-policy-agent/opa/v1/topdown/builtins"
	"github.com/open-policy-agent/opa/v1/types"
)

// registerSleep declares test.sleep(duration), a built-in that OPA's cases call
// and OPA has in its tests alone. OPA keeps it in a table of the whole process.
var registerSleep = sync.OnceFunc(func() {
	sleep := &ast.Builtin{Name: "test.sleep", Decl: types.NewFunction(types.Args(types.S), types.Nl)}
	ast.RegisterBuiltin(sleep)
	topdown.RegisterBuiltinFunc(sleep.Name, func(_ topdown.BuiltinContext, operands []*ast.Term, iter func(*ast.Term) error) error {
		text, err := builtins.StringOperand(operands[0].Value, 1)
		if err != nil {
			return err
		}
		pause, err := time.ParseDuration(string(text))
		if err != nil {
			return err
		}
		time.Sleep(pause)
		return iter(ast.InternedNullTerm)
	})
})
