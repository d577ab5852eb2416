package closure

import (
	"strings"

	"github.com/open-policy-agent/opa/v1/ast"
)

// A toll is what a call of a built-in is counted as before it is made. A
// built-in looks neither at the clock nor at the limit of steps, so it is counted
// by its operands what it will take, and, where the result can be larger than
// those, that there is room for it. What it made is counted after, see made.
//
// A step stands for some 50 ns and 64 bytes, and a toll has to be of the right
// order only: too low, and a decision may take longer than its time; too high,
// and a policy that does much with large values comes to its limit early. For
// the short texts and the numbers of most calls it is nothing.
type toll struct {
	// factor is the steps for each unit of the operands' weight; 0 where the
	// call is as quick on large operands as on small ones.
	factor int64
	// shallow calls look at the members of their operands, but not into them.
	shallow bool
	// also is what is counted besides, if anything.
	also func(*machine, operands) bool
}

// operands are the first ones of a call; nil where there are fewer.
type operands [4]*ast.Term

// charge counts a call, and reports whether to make it. No toll is that of calls
// that take the same whatever they are called on, and make nothing.
func (t *toll) charge(m *machine, on operands) bool {
	return t == nil || t.count(m, on)
}

func (t *toll) count(m *machine, on operands) bool {
	if t.factor > 0 {
		for _, operand := range on {
			if operand == nil {
				break
			}
			if small(operand.Value) {
				continue
			}
			if !m.pay(times(t.factor, t.weight(m, operand.Value))) {
				return false
			}
		}
	}
	return t.also == nil || t.also(m, on)
}

// chargeSpread counts a call whose last operand is an array of terms, which is
// made only where there is much to count.
func (t *toll) chargeSpread(m *machine, first *ast.Term, elements []*ast.Term) bool {
	const much = 256
	w := int64(0)
	if first != nil {
		w = times(size(first.Value), much/4)
	}
	for _, element := range elements {
		w += m.weigh(element.Value)
	}
	switch {
	case w <= much:
		return m.pay(times(t.factor, w))
	case first == nil:
		return t.charge(m, operands{ast.ArrayTerm(elements...)})
	default:
		return t.charge(m, operands{first, ast.ArrayTerm(elements...)})
	}
}

func (t *toll) weight(m *machine, v ast.Value) int64 {
	if t.shallow {
		return size(v)
	}
	return m.weigh(v)
}

// made counts what a call made, and passes it on, or nil at the limit.
func (t *toll) made(m *machine, result *ast.Term) *ast.Term {
	if t == nil || result == nil || small(result.Value) || m.pay(size(result.Value)) {
		return result
	}
	return nil
}

// tollOf is the toll of a built-in.
func tollOf(name string) *toll {
	for _, group := range tolls {
		for _, n := range group.names {
			if n == name || strings.HasSuffix(n, ".") && strings.HasPrefix(name, n) {
				return group.toll
			}
		}
	}
	return &toll{factor: 2}
}

// tolls are those of the built-ins that are not like most. The first group
// counts that has a name, or else what the name begins with.
var tolls = []struct {
	toll  *toll
	names []string
}{
	{nil, []string{
		ast.Count.Name, ast.ObjectGet.Name, ast.StartsWith.Name, ast.EndsWith.Name, ast.TypeNameBuiltin.Name,
		ast.IsNull.Name, ast.IsBoolean.Name, ast.IsNumber.Name, ast.IsString.Name, ast.IsArray.Name, ast.IsSet.Name, ast.IsObject.Name,
		ast.WalkBuiltin.Name,   // each of its results is counted
		ast.NetCIDRExpand.Name, // it asks whether to stop at each of its results
	}},
	{&toll{}, []string{ast.ArraySlice.Name, ast.NumbersRange.Name, ast.NumbersRangeStep.Name}},
	{&toll{also: comparing}, []string{
		ast.Equal.Name, ast.NotEqual.Name, ast.LessThan.Name, ast.LessThanEq.Name, ast.GreaterThan.Name, ast.GreaterThanEq.Name,
	}},
	{&toll{also: searching}, []string{ast.Member.Name, ast.MemberWithKey.Name}},
	{&toll{also: computing}, []string{
		ast.Plus.Name, ast.Multiply.Name, ast.Divide.Name, ast.Rem.Name, ast.Abs.Name, ast.Ceil.Name, ast.Floor.Name, ast.Round.Name,
	}},
	{&toll{factor: 4, shallow: true, also: computing}, []string{ast.Minus.Name}}, // of numbers and of sets
	{&toll{factor: 2, also: shifting}, []string{ast.BitsShiftLeft.Name}},
	{&toll{factor: 1, shallow: true}, []string{ast.ArrayConcat.Name, ast.ArrayReverse.Name}},
	{&toll{factor: 4, shallow: true}, []string{ast.ObjectKeys.Name, ast.ObjectRemove.Name, ast.And.Name, ast.Or.Name}},
	{&toll{factor: 16}, []string{ast.Sort.Name}},
	// What finds room for the result.
	{&toll{factor: 1, also: joining}, []string{ast.Concat.Name}},
	{&toll{factor: 1, also: replacing}, []string{ast.Replace.Name}},
	{&toll{factor: 1, also: replacingMany}, []string{ast.ReplaceN.Name}},
	{&toll{factor: 2, also: formatting}, []string{ast.Sprintf.Name}},
	{&toll{factor: 1, also: replacingMatches}, []string{ast.RegexReplace.Name}},
	// What takes more than in proportion to its operands.
	{&toll{factor: 8, also: patching}, []string{ast.JSONPatch.Name}},
	{&toll{factor: 8, also: crossing}, []string{ast.NetCIDRContainsMatches.Name}},
	{&toll{factor: 4, also: seeking}, []string{ast.ObjectSubset.Name}},
	{&toll{factor: 2, also: squaring}, []string{ast.UnitsParse.Name, ast.UnitsParseBytes.Name, "graphql."}},
	{&toll{factor: 2, also: matchingGlobs}, []string{ast.GlobsMatch.Name}},
	{&toll{factor: 2, also: finding}, []string{ast.RegexFind.Name, ast.RegexFindAllStringSubmatch.Name, ast.RegexSplit.Name}},
	{&toll{factor: 2, also: matching}, []string{"regex."}},
	{&toll{also: nesting}, []string{"rego."}},
	// What makes many values of one text.
	{&toll{factor: 32}, []string{ast.Split.Name, ast.JSONUnmarshal.Name}},
	{&toll{factor: 64}, []string{ast.YAMLUnmarshal.Name, "io.jwt.", "crypto.x509."}},
	{&toll{factor: 8}, []string{ast.JSONFilter.Name, ast.JSONRemove.Name, "net."}},
	{&toll{factor: 16}, []string{"yaml."}},
	{&toll{factor: 4}, []string{"json.", "object."}},
}

// comparing is free unless both operands are collections: what stands in two of
// them in the same place is compared as well, as far as the smaller one goes.
func comparing(m *machine, on operands) bool {
	a, b := on[0].Value, on[1].Value
	if ast.IsScalar(a) || ast.IsScalar(b) {
		return true
	}
	if size(b) < size(a) {
		a = b
	}
	return m.pay(m.weigh(a))
}

// searching is by a hash in a set, and one after another in other collections,
// eight of whose members go by in a step. What is found is compared.
func searching(m *machine, on operands) bool {
	x, in := on[0], on[1]
	if on[2] != nil { // internal.member_3 has the key before
		x, in = on[1], on[2]
	}
	if !small(x.Value) && !m.pay(m.weigh(x.Value)) {
		return false
	}
	if _, isSet := in.Value.(ast.Set); isSet {
		return true
	}
	return m.pay(size(in.Value) / 8)
}

// computing with numbers is free up to some length.
func computing(m *machine, on operands) bool {
	for _, operand := range on[:2] {
		if operand == nil {
			break
		}
		if n, isNumber := operand.Value.(ast.Number); isNumber && len(n) > unit && !m.pay(size(n)) {
			return false
		}
	}
	return true
}

// patching goes from the root of the document for each operation.
func patching(m *machine, on operands) bool {
	return m.pay(times(m.weigh(on[0].Value)/16, size(on[1].Value)))
}

// crossing looks at each member of one collection for each of the other.
func crossing(m *machine, on operands) bool {
	return m.pay(times(size(on[0].Value), 4*size(on[1].Value)))
}

// seeking is of one array in another, from each of its places on.
func seeking(m *machine, on operands) bool {
	in, isArray := on[0].Value.(*ast.Array)
	return !isArray || m.pay(times(int64(in.Len()), size(on[1].Value)/8))
}

// squaring takes longer by the square of a text's length.
func squaring(m *machine, on operands) bool {
	n := textBytes(on[0])
	return m.pay(times(n, n) >> 12)
}

// matching goes through a text with as many states as its pattern has.
func matching(m *machine, on operands) bool { return m.match(on[0], on[1]) }

func (m *machine) match(pattern, text *ast.Term) bool {
	return m.pay(times(states(pattern)+16, textBytes(text)) / 32)
}

// finding is matching at each character of a text, if there are as many matches.
func finding(m *machine, on operands) bool {
	return m.pay(4*textBytes(on[1])) && m.match(on[0], on[1])
}

// nesting is parsing a module, the last operand, in which each bracket may open
// another.
func nesting(m *machine, on operands) bool {
	module := on[0]
	if on[1] != nil { // rego.parse_module has a file's name before
		module = on[1]
	}
	text, _ := module.Value.(ast.String)
	depth := 1
	for _, bracket := range []string{"(", "[", "{"} {
		depth += strings.Count(string(text), bracket)
	}
	return m.pay(times(int64(depth), int64(len(text))))
}

// matchingGlobs goes through two patterns by turns.
func matchingGlobs(m *machine, on operands) bool {
	return m.pay(times(textBytes(on[0]), textBytes(on[1])))
}
