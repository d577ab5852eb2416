package authzen

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/verdictpdp/verdict/api/authz"
	"github.com/verdictpdp/verdict/engine/pdp"
)

// A parts holds the parts of a request that are there.
type parts struct {
	subject  *authz.Subject
	action   *authz.Action
	resource *authz.Resource
	context  authz.Object
}

// or is p with what it leaves out taken from the defaults, each part whole
// (section 7.1.1).
func (p parts) or(defaults parts) parts {
	if p.subject == nil {
		p.subject = defaults.subject
	}
	if p.action == nil {
		p.action = defaults.action
	}
	if p.resource == nil {
		p.resource = defaults.resource
	}
	if p.context == nil {
		p.context = defaults.context
	}
	return p
}

// request is the request of the parts. What is missing stays empty, for the
// decider to refuse.
func (p parts) request(tenant string) *authz.Request {
	request := &authz.Request{Tenant: tenant, Context: p.context}
	if p.subject != nil {
		request.Subject = *p.subject
	}
	if p.action != nil {
		request.Action = *p.action
	}
	if p.resource != nil {
		request.Resource = *p.resource
	}
	return request
}

// A batch is the request of the Access Evaluations API.
type batch struct {
	defaults parts
	items    []parts
	// stop says whether a decision is the last; nil never does.
	stop func(authz.Decision) bool
}

// decodeEvaluation reads the body of an Access Evaluation request.
func decodeEvaluation(body []byte) (parts, error) {
	if p, isPlain := plainEvaluation(string(body)); isPlain {
		return p, nil
	}
	return readEvaluation(body)
}

func readEvaluation(body []byte) (parts, error) {
	var p parts
	d := newDecoder(body)
	err := d.whole(func(name string) error { return d.part(&p, name) })
	return p, err
}

// decodeEvaluations reads the body of an Access Evaluations request.
func decodeEvaluations(body []byte) (batch, error) {
	if b, isPlain := plainEvaluations(string(body)); isPlain {
		return b, nil
	}
	return readEvaluations(body)
}

func readEvaluations(body []byte) (batch, error) {
	var b batch
	d := newDecoder(body)
	err := d.whole(func(name string) error {
		if d.isNull() {
			return d.skip()
		}
		switch name {
		case "evaluations":
			return d.array(func(i int) error {
				if err := pdp.CheckBatch(i + 1); err != nil {
					return authz.InField("evaluations", err)
				}
				var item parts
				err := d.object(func(name string) error { return d.part(&item, name) })
				b.items = append(b.items, item)
				return err
			})
		case "options":
			return d.object(func(name string) error {
				if name != "evaluations_semantic" || d.isNull() {
					return d.skip()
				}
				return d.semantic(&b.stop)
			})
		default:
			return d.part(&b.defaults, name)
		}
	})
	return b, err
}

// A decoder reads JSON token by token. Its errors are of kind Invalid and name
// the field, but for that of too many values.
type decoder struct {
	json *jsontext.Decoder
	// values counts the values of properties and contexts.
	values *int
}

// maxValues is how many values the properties and contexts of a body may have,
// those within others included. Decoded, each takes up to 50 times its bytes.
const maxValues = 1_000_000

func newDecoder(body []byte) decoder {
	return decoder{json: jsontext.NewDecoder(bytes.NewReader(body)), values: new(int)}
}

// whole reads a body that is one object.
func (d decoder) whole(member func(name string) error) error {
	if kind := d.json.PeekKind(); kind != '{' {
		_, err := d.json.ReadToken()
		switch {
		case errors.Is(err, io.EOF):
			return authz.Errorf(authz.Invalid, "the body is empty: expected a JSON object")
		case err != nil:
			return malformed(err)
		}
		return authz.Errorf(authz.Invalid, "the body is %s: expected an object", kindName(kind))
	}
	if err := d.object(member); err != nil {
		return err
	}
	switch _, err := d.json.ReadToken(); {
	case errors.Is(err, io.EOF):
		return nil
	case err != nil:
		return malformed(err)
	}
	return authz.Errorf(authz.Invalid, "the body goes on after its object: expected nothing more")
}

// part reads one of the parts of a request, or skips what is none, or null.
func (d decoder) part(p *parts, name string) error {
	if d.isNull() {
		return d.skip()
	}
	switch name {
	case "subject":
		p.subject = new(authz.Subject)
		return d.entity(&p.subject.Type, &p.subject.ID, &p.subject.Properties)
	case "action":
		p.action = new(authz.Action)
		return d.object(func(name string) error {
			switch name {
			case "name":
				return d.text(&p.action.Name)
			case "properties":
				return d.properties(&p.action.Properties)
			}
			return d.skip()
		})
	case "resource":
		p.resource = new(authz.Resource)
		return d.entity(&p.resource.Type, &p.resource.ID, &p.resource.Properties)
	case "context":
		return d.properties(&p.context)
	}
	return d.skip()
}

// entity reads a subject or a resource (sections 5.1 and 5.2). Without a place for
// the id it is skipped.
func (d decoder) entity(typ, id *string, properties *authz.Object) error {
	return d.object(func(name string) error {
		switch {
		case name == "type":
			return d.text(typ)
		case name == "id" && id != nil:
			return d.text(id)
		case name == "properties":
			return d.properties(properties)
		}
		return d.skip()
	})
}

// semantic reads when a batch stops (section 7.1.2.1).
func (d decoder) semantic(stop *func(authz.Decision) bool) error {
	var name string
	if err := d.text(&name); err != nil {
		return err
	}
	switch name {
	case "execute_all":
		*stop = nil
	case "deny_on_first_deny":
		*stop = func(decision authz.Decision) bool { return !decision.Allowed }
	case "permit_on_first_permit":
		*stop = func(decision authz.Decision) bool { return decision.Allowed }
	default:
		return d.wrong("%s is none: expected execute_all, deny_on_first_deny or permit_on_first_permit", authz.Quote(name))
	}
	return nil
}

// text reads a string; null leaves it empty.
func (d decoder) text(to *string) error {
	if d.isNull() {
		return d.skip()
	}
	token, err := d.token('"', "a string")
	if err == nil {
		*to = token.String()
	}
	return err
}

// properties reads an object of any members; null leaves it out.
func (d decoder) properties(to *authz.Object) error {
	if d.isNull() {
		return d.skip()
	}
	object, err := d.anyObject(1)
	*to = object
	return err
}

// object reads the members of an object.
func (d decoder) object(member func(name string) error) error {
	if _, err := d.token('{', "an object"); err != nil {
		return err
	}
	for d.json.PeekKind() != '}' {
		name, err := d.json.ReadToken()
		if err != nil {
			return malformed(err)
		}
		if err := member(name.String()); err != nil {
			return err
		}
	}
	_, err := d.token('}', "")
	return err
}

// array reads the elements of an array.
func (d decoder) array(element func(i int) error) error {
	if _, err := d.token('[', "an array"); err != nil {
		return err
	}
	for i := 0; d.json.PeekKind() != ']'; i++ {
		if err := element(i); err != nil {
			return err
		}
	}
	_, err := d.token(']', "")
	return err
}

// anyValue reads a value that stands at a depth.
func (d decoder) anyValue(depth int) (any, error) {
	if *d.values++; *d.values > maxValues {
		return nil, authz.Exceeded(authz.MessageLimit, "the body has more than %d values: send several requests", maxValues)
	}
	switch d.json.PeekKind() {
	case '{':
		return d.anyObject(depth + 1)
	case '[':
		return d.anyArray(depth + 1)
	}
	token, err := d.json.ReadToken()
	if err != nil {
		return nil, malformed(err)
	}
	switch token.Kind() {
	case 'n':
		return nil, nil
	case 't', 'f':
		return token.Bool(), nil
	case '0':
		return d.number(token.String())
	default:
		return token.String(), nil
	}
}

func (d decoder) anyObject(depth int) (authz.Object, error) {
	object := authz.Object{}
	if depth > pdp.MaxDepth {
		return object, d.tooDeep()
	}
	err := d.object(func(name string) (err error) {
		object[name], err = d.anyValue(depth)
		return err
	})
	return object, err
}

func (d decoder) anyArray(depth int) ([]any, error) {
	list := []any{}
	if depth > pdp.MaxDepth {
		return list, d.tooDeep()
	}
	err := d.array(func(int) error {
		value, err := d.anyValue(depth)
		list = append(list, value)
		return err
	})
	return list, err
}

// number keeps the number exact, and refuses one that policies cannot compute
// with.
func (d decoder) number(text string) (any, error) {
	if err := authz.ValidateNumber(text); err != nil {
		return nil, d.wrong("%s", err)
	}
	return json.Number(text), nil
}

func (d decoder) isNull() bool { return d.json.PeekKind() == 'n' }

func (d decoder) skip() error {
	if err := d.json.SkipValue(); err != nil {
		return malformed(err)
	}
	return nil
}

// token reads a token of a kind.
func (d decoder) token(kind jsontext.Kind, expected string) (jsontext.Token, error) {
	found := d.json.PeekKind()
	token, err := d.json.ReadToken()
	if err != nil {
		return token, malformed(err)
	}
	if found != kind {
		return token, d.wrong("is %s: expected %s", kindName(found), expected)
	}
	return token, nil
}

// wrong is an error about the value read last.
func (d decoder) wrong(format string, args ...any) error {
	return authz.InvalidField(fieldAt(d.json.StackPointer()), format, args...)
}

// tooDeep is an error about the value to be read next.
func (d decoder) tooDeep() error { return d.wrong("is nested deeper than %d levels", pdp.MaxDepth) }

// malformed is the error of JSON that breaks its own rules.
func malformed(err error) error {
	var syntax *jsontext.SyntacticError
	if !errors.As(err, &syntax) {
		return authz.Errorf(authz.Invalid, "the body is no JSON: %w", err)
	}
	text := fmt.Sprintf("the JSON is malformed at byte %d: %v", syntax.ByteOffset, syntax.Err)
	if field := fieldAt(syntax.JSONPointer); field != "" {
		return authz.InvalidField(field, "%s", text)
	}
	return authz.Errorf(authz.Invalid, "%s", text)
}

// maxFieldBytes is how much of a field's path an error repeats.
const maxFieldBytes = 200

// fieldAt writes a JSON pointer as errors do elsewhere: evaluations[3].subject.
func fieldAt(pointer jsontext.Pointer) string {
	var field strings.Builder
	for token := range pointer.Tokens() {
		if _, err := strconv.ParseUint(token, 10, 32); err == nil {
			fmt.Fprintf(&field, "[%s]", token)
			continue
		}
		if field.Len() > 0 {
			field.WriteByte('.')
		}
		field.WriteString(token)
	}
	if field.Len() > maxFieldBytes {
		return strings.ToValidUTF8(field.String()[:maxFieldBytes], "") + "…"
	}
	return field.String()
}

func kindName(kind jsontext.Kind) string {
	switch kind {
	case 'n':
		return "null"
	case 't', 'f':
		return "a boolean"
	case '"':
		return "a string"
	case '0':
		return "a number"
	case '{':
		return "an object"
	case '[':
		return "an array"
	}
	return "malformed"
}
