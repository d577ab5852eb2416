package pip

import (
	"bytes"
	"strings"
	"sync"

	"github.com/go-json-experiment/json/jsontext"
	"github.com/open-policy-agent/opa/v1/ast"

	"github.com/verdictpdp/verdict/api/authz"
)

// decoders turn attributes into values: without Go maps in between, with terms
// that share what they can. A decoder is used again, for making one costs as
// much as decoding ten attributes: see BenchmarkDecode.
type decoders struct {
	names names
	idle  sync.Pool
}

// decode turns an entity's attributes, a JSON object, into a value. Numbers
// keep their text. It also estimates the value's bytes.
func (ds *decoders) decode(attributes []byte) (*ast.Term, int, error) {
	if len(attributes) == 0 {
		return ast.InternedEmptyObject, 0, nil
	}
	d, _ := ds.idle.Get().(*decoder)
	if d == nil {
		d = &decoder{names: &ds.names}
	}
	d.begin(attributes)
	defer ds.release(d)
	term, err := d.value()
	if err != nil {
		return nil, 0, err
	}
	if _, isObject := term.Value.(ast.Object); !isObject {
		return nil, 0, authz.Errorf(authz.Internal, "attributes are %s, not an object", ast.ValueName(term.Value))
	}
	return term, d.size, nil
}

// release makes a decoder forget what it read.
func (ds *decoders) release(d *decoder) {
	d.begin(nil)
	ds.idle.Put(d)
}

type decoder struct {
	names  *names
	input  bytes.Buffer
	tokens jsontext.Decoder
	text   string // the whole input, of which the values' texts are parts
	size   int    // estimated bytes of what was decoded
}

// begin makes the decoder read attributes.
func (d *decoder) begin(attributes []byte) {
	d.input = *bytes.NewBuffer(attributes)
	// The directory has checked for duplicates when it took the attributes.
	d.tokens.Reset(&d.input, jsontext.AllowDuplicateNames(true))
	d.text = string(attributes)
	d.size = len(d.text)
}

func (d *decoder) value() (*ast.Term, error) {
	switch d.tokens.PeekKind() {
	case '[':
		return d.array()
	case '{':
		return d.object()
	case '"':
		text, err := d.string()
		if err != nil {
			return nil, err
		}
		d.size += termBytes
		return ast.StringTerm(text), nil
	case '0':
		text, err := d.scalar()
		if err != nil {
			return nil, err
		}
		return d.number(text)
	}
	token, err := d.tokens.ReadToken()
	if err != nil {
		return nil, err
	}
	switch token.Kind() {
	case 'n':
		return ast.InternedNullTerm, nil
	default:
		return ast.InternedTerm(token.Bool()), nil
	}
}

// scalar is the text of a value that is no object and no array.
func (d *decoder) scalar() (string, error) {
	value, err := d.tokens.ReadValue()
	if err != nil {
		return "", err
	}
	end := d.tokens.InputOffset()
	return d.text[end-int64(len(value)) : end], nil
}

// string is a string's value.
func (d *decoder) string() (string, error) {
	quoted, err := d.scalar()
	if err != nil {
		return "", err
	}
	if strings.IndexByte(quoted, '\\') < 0 {
		return quoted[1 : len(quoted)-1], nil
	}
	unquoted, err := jsontext.AppendUnquote(nil, quoted)
	d.size += len(unquoted)
	return string(unquoted), err
}

func (d *decoder) number(text string) (*ast.Term, error) {
	if shared := ast.InternedIntNumberTermFromString(text); shared != nil {
		return shared, nil
	}
	number, err := ast.NumberChecked(text)
	if err != nil {
		return nil, authz.Errorf(authz.Evaluation, "number %s cannot be computed with: %w", authz.Quote(text), err)
	}
	d.size += termBytes
	return ast.NewTerm(number), nil
}

func (d *decoder) array() (*ast.Term, error) {
	if _, err := d.tokens.ReadToken(); err != nil {
		return nil, err
	}
	var elements []*ast.Term
	for d.tokens.PeekKind() != ']' {
		element, err := d.value()
		if err != nil {
			return nil, err
		}
		elements = append(elements, element)
	}
	d.size += arrayBytes(len(elements))
	_, err := d.tokens.ReadToken()
	return ast.ArrayTerm(elements...), err
}

func (d *decoder) object() (*ast.Term, error) {
	if _, err := d.tokens.ReadToken(); err != nil {
		return nil, err
	}
	var few [fewMembers][2]*ast.Term
	members := few[:0]
	for d.tokens.PeekKind() != '}' {
		name, err := d.string()
		if err != nil {
			return nil, err
		}
		key := d.names.term(name)
		member, err := d.value()
		if err != nil {
			return nil, err
		}
		members = append(members, [2]*ast.Term{key, member})
	}
	d.size += objectBytes(len(members))
	_, err := d.tokens.ReadToken()
	return ast.ObjectTerm(members...), err
}
