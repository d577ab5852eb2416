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

	"object.keys":   {object},
	"object.union":  {object, object},
	"object.subset": {oneOf(setOf(fewStrings), object, arrayOf(fewStrings)), oneOf(setOf(fewStrings), object, arrayOf(fewStrings))},

	"count":   {oneOf(aString, anyValue)},
	"sum":     {oneOf(arrayOf(aNumber), setOf(aNumber), arrayOf(littleNumber))},
	"product": {oneOf(arrayOf(aNumber), setOf(aNumber), arrayOf(littleNumber))},
	"max":     {oneOf(arrayOf(aNumber), setOf(aNumber), arrayOf(anyValue), setOf(anyValue))},
	"min":     {oneOf(arrayOf(aNumber), setOf(aNumber), arrayOf(anyValue), setOf(anyValue))},
	"sort":    {oneOf(arrayOf(anyValue), setOf(anyValue))},
	"all":     {oneOf(arrayOf(aBoolean), setOf(aBoolean))},
	"any":     {oneOf(arrayOf(aBoolean), setOf(aBoolean))},

	"and":          {setOf(fewStrings), setOf(fewStrings)},
	"or":           {setOf(oneOf(fewStrings, aNumber)), setOf(oneOf(fewStrings, aNumber))},
	"intersection": {setOf(setOf(oneOf(fewStrings, aNumber)))},
	"union":        {setOf(setOf(oneOf(fewStrings, aNumber)))},

	"array.concat":  {arrayOf(anyValue), arrayOf(anyValue)},
	"array.slice":   {arrayOf(anyValue), littleNumber, littleNumber},
	"array.reverse": {arrayOf(anyValue)},
	"numbers.range": {littleNumber, littleNumber},

	"contains":                 {aString, aString},
	"startswith":               {aString, aString},
	"endswith":                 {aString, aString},
	"strings.any_prefix_match": {oneOf(aString, arrayOf(aString)), oneOf(aString, arrayOf(aString), setOf(fewStrings))},
	"strings.any_suffix_match": {oneOf(aString, arrayOf(aString)), oneOf(aString, arrayOf(aString), setOf(fewStrings))},
	"lower":                    {aString},
	"upper":                    {aString},
	"trim":                     {aString, aString},
	"trim_left":                {aString, aString},
	"trim_right":               {aString, aString},
	"trim_prefix":              {aString, aString},
	"trim_suffix":              {aString, aString},
	"trim_space":               {aString},
	"indexof":                  {aString, aString},
	"substring":                {aString, littleNumber, littleNumber},
	"split":                    {aString, aString},
	"concat":                   {aString, oneOf(arrayOf(aString), setOf(fewStrings))},
	"replace":                  {aString, aString, aString},

	"format_int":               {aNumber, littleNumber},
	"sprintf":                  {aFormat, arrayOf(anyValue)},
	"internal.template_string": {arrayOf(oneOf(aString, aNumber, anyValue, setOf(anyValue)))},

	"is_null":    {anyValue},
	"is_boolean": {anyValue},
	"is_number":  {anyValue},
	"is_string":  {anyValue},
	"is_array":   {anyValue},
	"is_set":     {anyValue},
	"is_object":  {anyValue},
	"type_name":  {anyValue},
	"to_number":  {oneOf(aString, numberText, anyValue)},

	"time.parse_rfc3339_ns": {oneOf(aString, aTime)},
	"time.parse_ns":         {oneOf(aString, aLayout), oneOf(aString, aTime)},
	"time.add_date":         {aMoment, oneOf(littleNumber, aNumber), oneOf(littleNumber, aNumber), oneOf(littleNumber, aNumber)},
	"time.date":             {aMoment},
	"time.clock":            {aMoment},
	"time.weekday":          {aMoment},

	"bits.and":    {aNumber, aNumber},
	"bits.or":     {aNumber, aNumber},
	"bits.xor":    {aNumber, aNumber},
	"bits.negate": {aNumber},
	"bits.lsh":    {aNumber, littleNumber},
	"bits.rsh":    {aNumber, littleNumber},

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

// unboundedByNumbers are what OPA computes something for that is as large as a
// number says.
var unboundedByNumbers = map[string]bool{"numbers.range": true, "bits.lsh": true}

func notHuge(name string, k kind) kind {
	if !unboundedByNumbers[name] {
		return k
	}
	return func(g generator, depth int) ast.Value {
		v := k(g, depth)
		if _, ok := v.(ast.Number); ok {
			return littleNumber(g, depth)
		}
		return v
	}
}

// calls is how many random calls hold each function to OPA's.
func calls() int {
	if testing.Short() {
		return 400
	}
	return 4_000
}

func TestAgreesWithOPA(t *testing.T) {
	for name, kinds := range likely {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			seed := fnv.New64()
			seed.Write([]byte(name))
			g := newGenerator(seed.Sum64())
			for i := range calls() {
				operands := make([]*ast.Term, len(kinds))
				for j, k := range kinds {
					// One operand in eight is of any type.
					if i%2 == 1 && g.IntN(4) == 0 {
						k = notHuge(name, anyValue)
					}
					operands[j] = ast.NewTerm(k(g, 2))
				}
				if len(operands) == 2 && g.IntN(16) == 0 && !unboundedByNumbers[name] {
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
		set := []bool{f.Unary != nil, f.Binary != nil, f.Ternary != nil, f.Quaternary != nil}
		want := []bool{len(kinds) == 1, len(kinds) == 2, len(kinds) == 3, len(kinds) == 4}
		if !slices.Equal(set, want) || builtin.Decl.Arity() != len(kinds) {
			t.Errorf("%s takes %d operands, but as unary, binary, ternary and quaternary is set %v", builtin.Name, builtin.Decl.Arity(), set)
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
		if _, ok := native.LookupSpread(name); ok {
			t.Errorf("LookupSpread(%q) found something", name)
		}
	}
}

func TestTextsAreAppended(t *testing.T) {
	list := func(texts ...string) (terms []*ast.Term) {
		for _, text := range texts {
			terms = append(terms, ast.StringTerm(text))
		}
		return terms
	}
	tests := []struct {
		name     string
		operand  *ast.Term
		elements []*ast.Term
		want     string
	}{
		{"concat", ast.StringTerm("/"), list("a", "", "b"), "> a//b"},
		{"concat", ast.StringTerm("/"), list("a"), "> a"},
		{"concat", ast.StringTerm("/"), nil, "> "},
		{"sprintf", ast.StringTerm("%s is %v, %d%%"), append(list("a", "b"), ast.IntNumberTerm(3)), ""}, // left to fmt
		{"sprintf", ast.StringTerm("%s is %v, %d."), append(list("a", "b"), ast.IntNumberTerm(3)), "> a is b, 3."},
		{"sprintf", ast.StringTerm("plain"), nil, "> plain"},
		{"sprintf", ast.StringTerm("too few: %s"), nil, ""},
		{"sprintf", ast.StringTerm("too many"), list("a"), ""},
		{"sprintf", ast.StringTerm("no verb: %"), nil, ""},
		{"internal.template_string", nil, append(list("a", "b"), ast.BooleanTerm(true)), "> abtrue"},
	}
	for _, test := range tests {
		appends, ok := native.LookupAppend(test.name)
		if !ok {
			t.Fatalf("%s: not found", test.name)
		}
		text, ok := appends([]byte("> "), test.operand, test.elements)
		if !ok {
			text = nil
		}
		if string(text) != test.want {
			t.Errorf("%s(%v, %v) = %q, want %q", test.name, test.operand, test.elements, text, test.want)
		}
	}
}
