package eval

import (
	"encoding/json"
	"math"
	"reflect"
	"strconv"

	"github.com/open-policy-agent/opa/v1/ast"

	"github.com/verdictpdp/verdict/api/authz"
)

// Document is the document input of a request. All of its parts are there,
// empty objects where the request has none. A value that is none of those that
// authz.Object names, and a number that cannot be computed with, are errors of
// kind Invalid that name the field. Nesting is the caller's to bound.
func Document(r *authz.Request) (*ast.Term, error) { return (*Parts)(nil).Document(r) }

// Term is the document input.
func (in *Input) Term() (*ast.Term, error) {
	if in.Request == nil {
		return objectTerm(in.Document)
	}
	return in.Parts.Document(in.Request)
}

// Parts are properties and contexts that several requests share, the same map and
// not only an equal one: those are converted once. None of them may be changed
// meanwhile. They are not safe for use by several goroutines; nil shares nothing.
type Parts struct{ shared map[uintptr]*part }

// A part is a map and its term, nil before it is asked for. It keeps the map, so
// that its address stays its own.
type part struct {
	object authz.Object
	term   *ast.Term
}

// PartsOf are what requests share; nil where that is nothing. Requests that are
// nil have no parts.
func PartsOf(requests []*authz.Request) *Parts {
	seen := make(map[uintptr]authz.Object)
	var p *Parts
	for _, r := range requests {
		if r == nil {
			continue
		}
		for _, o := range [...]authz.Object{r.Subject.Properties, r.Action.Properties, r.Resource.Properties, r.Context} {
			if len(o) == 0 {
				continue
			}
			identity := identityOf(o)
			if seen[identity] == nil {
				seen[identity] = o
				continue
			}
			if p == nil {
				p = &Parts{shared: make(map[uintptr]*part)}
			}
			if p.shared[identity] == nil {
				p.shared[identity] = &part{object: o}
			}
		}
	}
	return p
}

func identityOf(o authz.Object) uintptr { return reflect.ValueOf(o).Pointer() }

// of is the part that an object is, nil where it is not shared.
func (p *Parts) of(o authz.Object) *part {
	if p == nil || len(o) == 0 {
		return nil
	}
	return p.shared[identityOf(o)]
}

// Shares reports whether an object is one that several requests share.
func (p *Parts) Shares(o authz.Object) bool { return p.of(o) != nil }

// Document is the document input of a request, as the function of that name.
func (p *Parts) Document(r *authz.Request) (*ast.Term, error) {
	subject, err := p.Object("subject.properties", r.Subject.Properties)
	if err != nil {
		return nil, err
	}
	action, err := p.Object("action.properties", r.Action.Properties)
	if err != nil {
		return nil, err
	}
	resource, err := p.Object("resource.properties", r.Resource.Properties)
	if err != nil {
		return nil, err
	}
	context, err := p.Object("context", r.Context)
	if err != nil {
		return nil, err
	}
	return members{
		{inputNames.tenant, ast.InternedTerm(r.Tenant)},
		{inputNames.subject, members{
			{inputNames.typ, ast.InternedTerm(r.Subject.Type)},
			{inputNames.id, ast.InternedTerm(r.Subject.ID)},
			{inputNames.properties, subject},
		}.term()},
		{inputNames.action, members{
			{inputNames.name, ast.InternedTerm(r.Action.Name)},
			{inputNames.properties, action},
		}.term()},
		{inputNames.resource, members{
			{inputNames.typ, ast.InternedTerm(r.Resource.Type)},
			{inputNames.id, ast.InternedTerm(r.Resource.ID)},
			{inputNames.properties, resource},
		}.term()},
		{inputNames.context, context},
	}.term(), nil
}

type members [][2]*ast.Term

func (m members) term() *ast.Term { return ast.ObjectTerm(m...) }

// inputNames are the names of the document's own members.
var inputNames = struct {
	tenant, subject, action, resource, context, typ, id, name, properties *ast.Term
}{
	tenant:     ast.StringTerm("tenant"),
	subject:    ast.StringTerm("subject"),
	action:     ast.StringTerm("action"),
	resource:   ast.StringTerm("resource"),
	context:    ast.StringTerm("context"),
	typ:        ast.StringTerm("type"),
	id:         ast.StringTerm("id"),
	name:       ast.StringTerm("name"),
	properties: ast.StringTerm("properties"),
}

// Object is the term of a part of a request, which an error names as field.
func (p *Parts) Object(field string, o authz.Object) (*ast.Term, error) {
	shared := p.of(o)
	if shared != nil && shared.term != nil {
		return shared.term, nil
	}
	term, err := objectTerm(o)
	if err != nil {
		return nil, authz.InField(field, err)
	}
	if shared != nil {
		shared.term = term
	}
	return term, nil
}

func objectTerm(o authz.Object) (*ast.Term, error) {
	if len(o) == 0 {
		return ast.InternedEmptyObject, nil
	}
	pairs := make(members, 0, len(o))
	for name, value := range o {
		term, err := Value(value)
		if err != nil {
			return nil, authz.InField(name, err)
		}
		pairs = append(pairs, [2]*ast.Term{ast.InternedTerm(name), term})
	}
	return pairs.term(), nil
}

func textsTerm(texts map[string]string) *ast.Term {
	if len(texts) == 0 {
		return ast.InternedEmptyObject
	}
	pairs := make(members, 0, len(texts))
	for name, text := range texts {
		pairs = append(pairs, [2]*ast.Term{ast.InternedTerm(name), ast.InternedTerm(text)})
	}
	return pairs.term()
}

// Value is a value of a request as a term. Its errors are those of Document.
func Value(value any) (*ast.Term, error) {
	switch value := value.(type) {
	case nil:
		return ast.InternedNullTerm, nil
	case bool:
		return ast.InternedTerm(value), nil
	case string:
		return ast.InternedTerm(value), nil
	case json.Number:
		return numberTerm(string(value))
	case int:
		return ast.InternedTerm(value), nil
	case int64:
		return numberTerm(strconv.FormatInt(value, 10))
	case float64:
		if math.IsNaN(value) || math.IsInf(value, 0) {
			return nil, notFinite(value)
		}
		return numberTerm(doubleText(value))
	case []any:
		terms := make([]*ast.Term, len(value))
		for i, element := range value {
			term, err := Value(element)
			if err != nil {
				return nil, authz.InField(strconv.Itoa(i), err)
			}
			terms[i] = term
		}
		return ast.ArrayTerm(terms...), nil
	case map[string]any:
		return objectTerm(value)
	case map[string]string:
		return textsTerm(value), nil
	default:
		return nil, notJSON(value)
	}
}

func numberTerm(text string) (*ast.Term, error) {
	if shared := ast.InternedIntNumberTermFromString(text); shared != nil {
		return shared, nil
	}
	if err := validateNumber(text); err != nil {
		return nil, err
	}
	return ast.NewTerm(ast.Number(text)), nil
}

// doubleText is a double as JSON writers write it, so that a policy sees 1000000
// and not 1e+06, whichever edge the request came in by (ECMA-262, section
// 6.1.6.1.20).
func doubleText(value float64) string {
	const smallest, largest = 1e-6, 1e21
	if size := math.Abs(value); size != 0 && (size < smallest || size >= largest) {
		return strconv.FormatFloat(value, 'e', -1, 64)
	}
	return strconv.FormatFloat(value, 'f', -1, 64)
}

// isNumber reports whether text is a number by JSON's grammar (RFC 8259,
// section 6).
func isNumber(text string) bool {
	if text == "" || text[0] != '-' && (text[0] < '0' || text[0] > '9') {
		return false
	}
	return json.Valid([]byte(text))
}
