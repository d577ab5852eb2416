package pip

import (
	"bytes"
	"hash/maphash"
	"slices"
	"strings"
	"sync"

	"github.com/go-json-experiment/json/jsontext"
	"github.com/open-policy-agent/opa/v1/ast"

	"github.com/verdictpdp/verdict/api/authz"
)

// decoders read attributes, which are JSON: without Go maps in between, with
// terms that share what they can. A decoder is used again, for making one costs
// as much as decoding ten attributes: see BenchmarkDecode.
type decoders struct {
	names  names
	shapes shapes
	common common
	idle   sync.Pool
}

func newDecoders() *decoders {
	ds := &decoders{common: common{seed: maphash.MakeSeed()}}
	ds.shapes = shapes{names: &ds.names, seed: maphash.MakeSeed(), byHash: make(map[uint64]*shape)}
	return ds
}

// A decoded is a value, with an estimate of its bytes.
type decoded struct {
	term *ast.Term
	size int
	long []*ast.Array // in the value, or itself
}

// decode turns a value's JSON, whose syntax has been checked, into a value.
// Numbers keep their text, and strings are parts of the text where they can be.
func (ds *decoders) decode(text string) (decoded, error) {
	if text[0] != '[' && text[0] != '{' {
		term, size, err := ds.scalar(text)
		return decoded{term: term, size: size}, err
	}
	d := ds.begin(text)
	defer ds.release(d)
	term, err := d.value()
	return decoded{term, d.size, d.long}, err
}

// scan finds the values of attributes, a JSON object. It checks the syntax of
// all of the text.
func (ds *decoders) scan(text string) (*attributes, error) {
	if len(text) == 0 {
		return &attributes{shape: ds.shapes.of(nil)}, nil
	}
	d := ds.begin(text)
	defer ds.release(d)
	var few [fewMembers]member
	members, err := d.scan(few[:0])
	if err != nil {
		return nil, err
	}
	var fewNames [fewMembers]string
	names := fewNames[:0]
	values := make([]value, len(members))
	for i, m := range members {
		names = append(names, m.name)
		values[i].from, values[i].to = m.from, m.to
	}
	return &attributes{shape: ds.shapes.of(names), values: values}, nil
}

// A member is a member of an object, and where in the text its value stands.
type member struct {
	name     string
	from, to uint32
}

func (ds *decoders) begin(text string) *decoder {
	d, _ := ds.idle.Get().(*decoder)
	if d == nil {
		d = &decoder{all: ds}
	}
	d.text, d.size, d.long = text, 0, nil
	d.input = *bytes.NewBuffer(append(d.bytes[:0], text...))
	d.bytes = d.input.Bytes()
	// The directory has checked for duplicates when it took the attributes.
	d.tokens.Reset(&d.input, jsontext.AllowDuplicateNames(true))
	return d
}

// release makes a decoder forget what it read.
func (ds *decoders) release(d *decoder) {
	d.text, d.long = "", nil
	if cap(d.bytes) <= maxIdleBytes {
		ds.idle.Put(d)
	}
}

// maxIdleBytes is how large a text a decoder that is used again may have read.
const maxIdleBytes = 1 << 16

type decoder struct {
	all    *decoders
	bytes  []byte // a copy of the text, for input
	input  bytes.Buffer
	tokens jsontext.Decoder
	text   string // of which the values' texts are parts
	size   int    // estimated bytes of what was decoded, without the text
	long   []*ast.Array
}

// scan finds the members of an object, in the order of their names.
func (d *decoder) scan(members []member) ([]member, error) {
	if kind := d.tokens.PeekKind(); kind != '{' {
		if _, err := d.tokens.ReadValue(); err != nil {
			return nil, err
		}
		return nil, authz.Errorf(authz.Internal, "they begin with %s and are not an object", kind)
	}
	if _, err := d.tokens.ReadToken(); err != nil {
		return nil, err
	}
	for d.tokens.PeekKind() != '}' {
		name, err := d.name()
		if err != nil {
			return nil, err
		}
		value, err := d.tokens.ReadValue()
		if err != nil {
			return nil, err
		}
		to := d.tokens.InputOffset()
		members = append(members, member{name, uint32(to - int64(len(value))), uint32(to)})
	}
	byName := func(a, b member) int { return strings.Compare(a.name, b.name) }
	if !slices.IsSortedFunc(members, byName) { // which the directory's are
		slices.SortStableFunc(members, byName)
	}
	_, err := d.tokens.ReadToken()
	return members, err
}

func (d *decoder) value() (*ast.Term, error) {
	switch d.tokens.PeekKind() {
	case '[':
		return d.array()
	case '{':
		return d.object()
	}
	text, err := d.scalar()
	if err != nil {
		return nil, err
	}
	term, size, err := d.all.scalar(text)
	d.size += size
	return term, err
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

// name is an object's next name.
func (d *decoder) name() (string, error) {
	quoted, err := d.scalar()
	if err != nil {
		return "", err
	}
	name, _, err := unquote(quoted)
	return name, err
}

// scalar is a value that is no object and no array, and an estimate of its
// bytes.
func (ds *decoders) scalar(text string) (*ast.Term, int, error) {
	switch text[0] {
	case 'n':
		return ast.InternedNullTerm, 0, nil
	case 't', 'f':
		return ast.InternedTerm(text[0] == 't'), 0, nil
	case '"':
		value, size, err := unquote(text)
		if err != nil {
			return nil, 0, err
		}
		term, shared := ds.common.term(value)
		if shared {
			return term, 0, nil
		}
		return term, termBytes + size, nil
	}
	if shared := ast.InternedIntNumberTermFromString(text); shared != nil {
		return shared, 0, nil
	}
	number, err := ast.NumberChecked(text)
	if err != nil {
		return nil, 0, authz.Errorf(authz.Evaluation, "number %s cannot be computed with: %w", authz.Quote(text), err)
	}
	return ast.NewTerm(number), termBytes, nil
}

// unquote is a string's value, and how many bytes it takes beside the text.
func unquote(quoted string) (value string, size int, err error) {
	if strings.IndexByte(quoted, '\\') < 0 {
		return quoted[1 : len(quoted)-1], 0, nil
	}
	unquoted, err := jsontext.AppendUnquote(nil, quoted)
	return string(unquoted), len(unquoted), err
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
	term := ast.ArrayTerm(elements...)
	if len(elements) > fewElements {
		d.long = append(d.long, term.Value.(*ast.Array))
		d.size += longBytes
	}
	_, err := d.tokens.ReadToken()
	return term, err
}

func (d *decoder) object() (*ast.Term, error) {
	if _, err := d.tokens.ReadToken(); err != nil {
		return nil, err
	}
	var few [fewMembers][2]*ast.Term
	members := few[:0]
	for d.tokens.PeekKind() != '}' {
		name, err := d.name()
		if err != nil {
			return nil, err
		}
		key := d.all.names.term(name)
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
