package native_test

import (
	"hash/fnv"
	"slices"
	"testing"

	"github.com/open-policy-agent/opa/v1/ast"
	"github.com/open-policy-agent/opa/v1/topdown"

	"github.com/verdictpdp/verdict/engine/eval/closure/native"
)

// likely are the operands that a function is made for; a call of OPA's with
// them mostly succeeds. Every function of the package has a row.
var likely = map[string][]kind{
	"equal": {anyValue, anyValue},
	"neq":   {anyValue, anyValue},
	"lt":    {anyValue, anyValue},
	"lte":   {anyValue, anyValue},
	"gt":    {aNumber, aNumber},
	"gte":   {aNumber, aNumber},

	"internal.member_2": {oneOf(fewStrings, aNumber, anyValue), oneOf(arrayOf(oneOf(fewStrings, aNumber)), setOf(oneOf(fewStrings, aNumber)), object)},
	"internal.member_3": {oneOf(fewStrings, littleNumber), oneOf(fewStrings, aNumber), oneOf(arrayOf(fewStrings), setOf(fewStrings), object)},

	"object.get": {object, oneOf(fewStrings, arrayOf(oneOf(fewStrings, littleNumber))), anyValue},

	"count": {oneOf(aString, anyValue)},

	"contains":   {aString, aString},
	"startswith": {aString, aString},
	"endswith":   {aString, aString},

	"plus":  {aNumber, aNumber},
	"minus": {oneOf(aNumber, setOf(fewStrings)), oneOf(aNumber, setOf(fewStrings))},
	"mul":   {aNumber, aNumber},
	"div":   {aNumber, aNumber},
	"rem":   {aNumber, aNumber},
	"abs":   {aNumber},
	"ceil":  {aNumber},
	"floor": {aNumber},
	"round": {aNumber},
}

// calls is how many random calls hold each function to OPA's.
const calls = 4000

func TestAgreesWithOPA(t *testing.T) {
	for name, kinds := range likely {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			seed := fnv.New64()
			seed.Write([]byte(name))
			g := newGenerator(seed.Sum64())
			for i := range calls {
				operands := make([]*ast.Term, len(kinds))
				for j, k := range kinds {
					// One operand in eight is of any type.
					if i%2 == 1 && g.IntN(4) == 0 {
						k = anyValue
					}
					operands[j] = ast.NewTerm(k(g, 2))
				}
				if len(operands) > 1 && g.IntN(16) == 0 {
					operands[1] = operands[0]
				}
				agree(t, name, operands)
				if t.Failed() {
					break
				}
			}
		})
	}
}

// A function without a row above would be held to nothing.
func TestEveryFunctionIsHeldToOPA(t *testing.T) {
	for _, builtin := range ast.Builtins {
		f, ok := native.Lookup(builtin.Name)
		kinds, held := likely[builtin.Name]
		if ok != held {
			t.Errorf("%s: there is a native one: %v, held to OPA's: %v", builtin.Name, ok, held)
		}
		if !ok {
			continue
		}
		set := []bool{f.Unary != nil, f.Binary != nil, f.Ternary != nil}
		want := []bool{len(kinds) == 1, len(kinds) == 2, len(kinds) == 3}
		if !slices.Equal(set, want) || builtin.Decl.Arity() != len(kinds) {
			t.Errorf("%s takes %d operands, but as unary, binary and ternary is set %v", builtin.Name, builtin.Decl.Arity(), set)
		}
	}
	for name := range likely {
		if topdown.GetBuiltin(name) == nil {
			t.Errorf("OPA has no %s", name)
		}
	}
}

func TestLookupKnowsNoOthers(t *testing.T) {
	for _, name := range []string{"", "http.send", "object_get"} {
		if _, ok := native.Lookup(name); ok {
			t.Errorf("Lookup(%q) found something", name)
		}
		if _, ok := native.LookupPredicate(name); ok {
			t.Errorf("LookupPredicate(%q) found something", name)
		}
	}
}
