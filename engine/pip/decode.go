package pip

import (
	"bytes"

	"github.com/go-json-experiment/json/jsontext"
	"github.com/open-policy-agent/opa/v1/ast"

	"github.com/verdictpdp/verdict/api/authz"
)

// Estimated bytes of values, beyond the bytes of their text.
const (
	termBytes   = 48  // a term with its boxed scalar
	pairBytes   = 100 // a member of an object, without its key's and value's terms
	objectBytes = 160 // an object or an array itself
)

// decode turns an entity's attributes, a JSON object, into a value, without Go
// maps in between. Numbers keep their text. It also estimates the value's
// bytes.
func decode(attributes []byte, names *names) (*ast.Term, int, error) {
	if len(attributes) == 0 {
		return ast.InternedEmptyObject, 0, nil
	}
	// The directory has checked for duplicates when it took the attributes.
	d := decoder{names: names, tokens: jsontext.NewDecoder(bytes.NewBuffer(attributes), jsontext.AllowDuplicateNames(true))}
	term, err := d.value()
	if err != nil {
		return nil, 0, err
	}
	if _, isObject := term.Value.(ast.Object); !isObject {
		return nil, 0, authz.Errorf(authz.Internal, "attributes are %s, not an object", ast.ValueName(term.Value))
	}
	return term, d.bytes, nil
}

type decoder struct {
	names  *names
	tokens *jsontext.Decoder
	bytes  int
}

func (d *decoder) value() (*ast.Term, error) {
	token, err := d.tokens.ReadToken()
	if err != nil {
		return nil, err
	}
	switch token.Kind() {
	case 'n':
		return ast.InternedNullTerm, nil
	case 't', 'f':
		return ast.InternedTerm(token.Bool()), nil
	case '"':
		text := token.String()
		d.bytes += termBytes + len(text)
		return ast.StringTerm(text), nil
	case '0':
		return d.number(token.String())
	case '[':
		return d.array()
	default:
		return d.object()
	}
}

func (d *decoder) number(text string) (*ast.Term, error) {
	if shared := ast.InternedIntNumberTermFromString(text); shared != nil {
		return shared, nil
	}
	number, err := ast.NumberChecked(text)
	if err != nil {
		return nil, authz.Errorf(authz.Evaluation, "number %s cannot be computed with: %w", authz.Quote(text), err)
	}
	d.bytes += termBytes + len(text)
	return ast.NewTerm(number), nil
}

func (d *decoder) array() (*ast.Term, error) {
	var elements []*ast.Term
	for d.tokens.PeekKind() != ']' {
		element, err := d.value()
		if err != nil {
			return nil, err
		}
		elements = append(elements, element)
	}
	d.bytes += objectBytes + 16*len(elements)
	_, err := d.tokens.ReadToken()
	return ast.ArrayTerm(elements...), err
}

func (d *decoder) object() (*ast.Term, error) {
	var members [][2]*ast.Term
	for d.tokens.PeekKind() != '}' {
		name, err := d.tokens.ReadToken()
		if err != nil {
			return nil, err
		}
		key := d.names.term(name.String())
		member, err := d.value()
		if err != nil {
			return nil, err
		}
		members = append(members, [2]*ast.Term{key, member})
	}
	d.bytes += objectBytes + pairBytes*len(members)
	_, err := d.tokens.ReadToken()
	return ast.ObjectTerm(members...), err
}
