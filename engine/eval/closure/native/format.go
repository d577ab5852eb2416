package native

import (
	"strconv"
	"strings"

	"github.com/open-policy-agent/opa/v1/ast"
)

var formatFunctions = map[string]Func{
	ast.FormatInt.Name:              {Binary: formatInt},
	ast.Sprintf.Name:                {Binary: sprintf},
	ast.InternalTemplateString.Name: {Unary: templateString},
}

var formatSpreads = map[string]Spread{
	ast.Sprintf.Name:                spreadSprintf,
	ast.InternalTemplateString.Name: spreadTemplateString,
}

// line is how many bytes of a text in the making lie on the stack.
const line = 128

// formatInt is quick for what is written as it should be.
func formatInt(a, base *ast.Term) (*ast.Term, error) {
	if n, ok := a.Value.(ast.Number); ok && canonical(n) {
		if b, ok := base.Value.(ast.Number); ok && b == "10" {
			return ast.InternedTerm(string(n)), nil
		}
	}
	return reference(ast.FormatInt.Name, a, base)
}

// sprintf knows the verbs %s, %d, %v and %q without flags, and each only with
// what it is for; the rest is left to Go's package fmt.
func sprintf(format, a *ast.Term) (*ast.Term, error) {
	if operands, ok := a.Value.(*ast.Array); ok {
		if result := formatted(format, elements{array: operands}); result != nil {
			return result, nil
		}
	}
	return reference(ast.Sprintf.Name, format, a)
}

func spreadSprintf(format *ast.Term, operands []*ast.Term) (*ast.Term, error) {
	of := elements{list: operands}
	if result := formatted(format, of); result != nil {
		return result, nil
	}
	return reference(ast.Sprintf.Name, format, of.term())
}

// formatted is nil where fmt has to be asked.
func formatted(format *ast.Term, operands elements) *ast.Term {
	var room [line]byte
	if text, ok := appendFormatted(room[:0], format, operands); ok {
		return stringTerm(string(text))
	}
	return nil
}

// appendFormatted is false where fmt has to be asked.
func appendFormatted(text []byte, format *ast.Term, operands elements) ([]byte, bool) {
	f, ok := format.Value.(ast.String)
	if !ok {
		return text, false
	}
	rest, used := string(f), 0
	for {
		verb := strings.IndexByte(rest, '%')
		if verb < 0 {
			return append(text, rest...), used == operands.len()
		}
		text = append(text, rest[:verb]...)
		if verb+1 == len(rest) || used == operands.len() {
			return text, false
		}
		if text, ok = appendVerb(text, rest[verb+1], operands.at(used).Value); !ok {
			return text, false
		}
		used++
		rest = rest[verb+2:]
	}
}

// appendVerb is false where fmt has to be asked. To sprintf everything but a
// number is a string.
func appendVerb(text []byte, verb byte, v ast.Value) ([]byte, bool) {
	if n, ok := v.(ast.Number); ok {
		return append(text, n...), (verb == 'd' || verb == 'v') && canonical(n)
	}
	s, ok := v.(ast.String)
	if !ok {
		s = ast.String(v.String())
	}
	switch verb {
	case 's', 'v':
		return append(text, s...), true
	case 'q':
		return strconv.AppendQuote(text, string(s)), true
	}
	return text, false
}

// templateString joins the parts of a $"…": scalars, and for what is computed a
// set of what came of it, of which there is one if it is defined.
func templateString(a *ast.Term) (*ast.Term, error) {
	if parts, ok := a.Value.(*ast.Array); ok {
		if result := joinedParts(elements{array: parts}); result != nil {
			return result, nil
		}
	}
	return reference(ast.InternalTemplateString.Name, a)
}

func spreadTemplateString(_ *ast.Term, parts []*ast.Term) (*ast.Term, error) {
	of := elements{list: parts}
	if result := joinedParts(of); result != nil {
		return result, nil
	}
	return reference(ast.InternalTemplateString.Name, of.term())
}

// joinedParts is nil where OPA has to be asked.
func joinedParts(parts elements) *ast.Term {
	var room [line]byte
	if text, ok := appendParts(room[:0], nil, parts); ok {
		return stringTerm(string(text))
	}
	return nil
}

// appendParts is false where OPA has to be asked.
func appendParts(text []byte, _ *ast.Term, parts elements) ([]byte, bool) {
	for i := range parts.len() {
		var ok bool
		if text, ok = appendPart(text, parts.at(i).Value); !ok {
			return text, false
		}
	}
	return text, true
}

func appendPart(text []byte, part ast.Value) ([]byte, bool) {
	switch p := part.(type) {
	case ast.String:
		return append(text, p...), true
	case ast.Number:
		return append(text, p...), true
	case ast.Boolean, ast.Null:
		return append(text, p.String()...), true
	case ast.Set:
		switch p.Len() {
		case 0:
			return append(text, "<undefined>"...), true
		case 1:
			element := p.Slice()[0].Value
			if s, ok := element.(ast.String); ok {
				return append(text, s...), true
			}
			return append(text, element.String()...), true
		}
	}
	return nil, false
}
