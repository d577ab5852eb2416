package residual

import (
	"strings"

	"github.com/open-policy-agent/opa/v1/ast"
	"github.com/open-policy-agent/opa/v1/topdown"

	"github.com/verdictpdp/verdict/engine/eval"
	"github.com/verdictpdp/verdict/policy/rego"
)

// arityOf is how many arguments a function takes.
func (b *body) arityOf(operator ast.Ref) (arity int, known bool) {
	name := operator.String()
	if rules := b.support[name]; len(rules) > 0 {
		return len(rules[0].Head.Args), true
	}
	if name == rego.EntitiesAt.Name {
		return 2, true
	}
	if name == rego.IsThere.Name {
		return 1, true
	}
	builtin, known := ast.BuiltinMap[name]
	if !known {
		return 0, false
	}
	return builtin.Decl.Arity(), true
}

// call is what a function yields.
func (b *body) call(operator ast.Ref, operands []*ast.Term) value {
	name := operator.String()
	arguments := make([]value, len(operands))
	fixed := true
	for i, operand := range operands {
		arguments[i] = b.value(operand)
		fixed = fixed && arguments[i].kind == constant
	}
	if fixed && folded[name] {
		return b.fold(name, arguments)
	}
	if b.support[name] != nil {
		holds := b.ruleHolds(operator, arguments)
		return value{kind: truthValue, holds: holds, defined: holds}
	}
	if op, isComparison := comparisons[name]; isComparison {
		return b.truth(b.compare(op, arguments[0], arguments[1]), arguments)
	}
	switch name {
	case rego.EntitiesAt.Name:
		return b.entitiesAt(arguments)
	case rego.IsThere.Name:
		there := b.isDefined(arguments[0])
		return value{kind: truthValue, holds: there, defined: there}
	case ast.Member.Name:
		return b.truth(b.isIn(arguments[0], arguments[1]), arguments)
	case ast.StartsWith.Name, ast.EndsWith.Name, ast.Contains.Name:
		return b.truth(b.textTest(name, arguments[0], arguments[1]), arguments)
	case ast.IsString.Name, ast.IsNumber.Name, ast.IsBoolean.Name, ast.IsNull.Name, ast.IsArray.Name, ast.IsObject.Name:
		if v := arguments[0]; v.kind == member && v.member == eval.Attributes && len(v.path) > 0 && v.constant == nil {
			return b.truth(b.test(Is, v.path, strings.TrimPrefix(name, "is_")), arguments)
		}
	case ast.Count.Name:
		return value{kind: counted, of: &arguments[0]}
	case ast.Concat.Name:
		return b.concat(operands, arguments)
	case ast.Sprintf.Name:
		if list, isArray := operands[1].Value.(*ast.Array); isArray && arguments[0].kind == constant {
			parts := []Formula{}
			list.Foreach(func(t *ast.Term) { parts = append(parts, b.isDefined(b.value(t))) })
			return value{kind: text, defined: and(parts...)}
		}
	case ast.ObjectGet.Name:
		v := arguments[0]
		key, isText := textOf(arguments[1])
		if v.kind == member && v.member == eval.Attributes && len(v.path) == 0 && isText && arguments[2].kind == constant {
			return value{kind: member, member: v.member, path: []string{key}, constant: arguments[2].constant}
		}
	case ast.ObjectUnion.Name:
		if v := arguments[1]; v.kind == constant && v.constant.Equal(ast.InternedEmptyObject) && arguments[0].kind == member {
			return arguments[0]
		}
	}
	return b.unknownValue("%v", short(ast.Call(append([]*ast.Term{ast.NewTerm(operator)}, operands...))))
}

// truth is a boolean that is there where the arguments are.
func (b *body) truth(holds Formula, arguments []value) value {
	defined := []Formula{}
	for _, v := range arguments {
		defined = append(defined, b.isDefined(v))
	}
	return value{kind: truthValue, holds: holds, defined: and(defined...)}
}

// folded are the built-ins that are computed where all arguments are known, which
// partial evaluation may have found out too late.
var folded = map[string]bool{
	ast.Equal.Name: true, ast.NotEqual.Name: true, ast.LessThan.Name: true, ast.LessThanEq.Name: true, ast.GreaterThan.Name: true, ast.GreaterThanEq.Name: true,
	ast.Count.Name: true, ast.StartsWith.Name: true, ast.EndsWith.Name: true, ast.Contains.Name: true, ast.Member.Name: true,
	ast.IsString.Name: true, ast.IsNumber.Name: true, ast.IsBoolean.Name: true, ast.IsNull.Name: true, ast.IsArray.Name: true, ast.IsObject.Name: true,
	ast.Concat.Name: true, ast.ObjectGet.Name: true, ast.ObjectKeys.Name: true, ast.Or.Name: true, ast.And.Name: true,
}

func (b *body) fold(name string, arguments []value) value {
	operands := make([]*ast.Term, len(arguments))
	for i, v := range arguments {
		operands[i] = v.constant
	}
	var result *ast.Term
	err := topdown.GetBuiltin(name)(topdown.BuiltinContext{}, operands, func(t *ast.Term) error {
		result = t
		return nil
	})
	if err != nil || result == nil {
		return b.unknownValue("%s of %v", name, operands)
	}
	return value{kind: constant, constant: result}
}

func (b *body) entitiesAt(arguments []value) value {
	typ, isText := textOf(arguments[0])
	switch {
	case !isText:
	case arguments[1].kind == id && typ == b.typ, arguments[1].kind == ref && typ == "ref":
		return value{kind: found}
	case arguments[1].kind == id:
		return b.unknownValue("it looks up the %s of the same id, whatever %v is", typ, b.unknown[:2].Append(ast.StringTerm("type")))
	}
	return b.unknownValue("it looks up the entity that %s names", arguments[1])
}

// isIn is when a value is in a collection.
func (b *body) isIn(v, collection value) Formula {
	if v.kind == constant {
		scalar, isScalar := scalarOf(v.constant)
		if isScalar && (collection.kind == member || collection.kind == filtered) {
			return b.has(collection, scalar)
		}
	}
	if v.kind == constant && collection.kind == rule && b.isSet(collection.rule) {
		return b.hasMembers(collection.rule, v.constant)
	}
	if collection.kind != constant {
		return b.unrecognised("%s in %s", v, collection)
	}
	before := 0
	if v.kind == element {
		before = b.elements[v.element-1].tests
	}
	var any []Formula
	add := func(t *ast.Term) {
		any = append(any, b.compare(In, v, value{kind: constant, constant: t}))
	}
	switch c := collection.constant.Value.(type) {
	case *ast.Array:
		c.Foreach(add)
	case ast.Set:
		c.Foreach(add)
	case ast.Object:
		c.Foreach(func(_, t *ast.Term) { add(t) })
	}
	if v.kind == element { // all of them are one test
		b.elements[v.element-1].tests = before + 1
	}
	return or(any...)
}

var textTests = map[string]Op{ast.StartsWith.Name: StartsWith, ast.EndsWith.Name: EndsWith, ast.Contains.Name: Contains}

// textTest is when a string begins, ends or goes on with another.
func (b *body) textTest(name string, v, part value) Formula {
	text, isText := textOf(part)
	switch {
	case !isText:
	case v.kind == member && v.member == eval.Attributes && len(v.path) > 0 && v.constant == nil:
		return b.test(textTests[name], v.path, text)
	case v.kind == element && v.of.kind == member && v.of.member == eval.Ancestors && name == ast.StartsWith.Name:
		b.asked(v)
		return b.ancestorStartsWith(text)
	}
	return b.unrecognised("%s of %s and %s", name, v, part)
}

// concat is the entity's ref where it is put together so.
func (b *body) concat(operands []*ast.Term, arguments []value) value {
	if arguments[0].kind != constant {
		return b.unknownValue("%v", short(operands[1]))
	}
	if arguments[1].kind == filtered {
		return value{kind: text, defined: always}
	}
	list, isArray := operands[1].Value.(*ast.Array)
	if !isArray {
		return b.unknownValue("%v", short(operands[1]))
	}
	var parts []value
	list.Foreach(func(t *ast.Term) { parts = append(parts, b.value(t)) })
	for _, part := range parts { // an attribute may be no string, which fails the decision
		if _, isText := textOf(part); !isText && part.kind != id && part.kind != ref {
			return b.unknownValue("%v", short(operands[1]))
		}
	}
	if separator, _ := textOf(arguments[0]); len(parts) == 2 && separator == ":" && parts[1].kind == id {
		if typ, _ := textOf(parts[0]); typ == b.typ {
			return value{kind: ref}
		}
	}
	return value{kind: text, defined: always}
}
