package directory

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/verdictpdp/verdict/api/authz"
)

// A Parser reads lines of the import format. It is not safe for use by several
// goroutines; the zero value is ready.
type Parser struct {
	dec  *jsontext.Decoder
	text bytes.Buffer
}

// ParseLine reads one line of the import format, a change, in the form in
// which it is stored. Errors are of kind Invalid and say which member is
// wrong, and what was expected. Roots are checked by the tenant that the line
// is imported into.
func ParseLine(line []byte) (authz.Change, error) {
	var p Parser
	return p.Parse(line)
}

// Parse is ParseLine.
func (p *Parser) Parse(line []byte) (authz.Change, error) {
	p.text = *bytes.NewBuffer(line)
	if p.dec == nil {
		p.dec = jsontext.NewDecoder(&p.text)
	} else {
		p.dec.Reset(&p.text)
	}
	change, err := p.line()
	if err != nil {
		return authz.Change{}, err
	}
	return change, nil
}

func (p *Parser) line() (change authz.Change, err error) {
	const expected = "expected one of entity, grant, delete"
	members := 0
	err = p.object(func(name string) error {
		if members++; members > 1 {
			return invalid("the line has the second member %s: %s", authz.Quote(name), expected)
		}
		switch name {
		case "entity":
			entity, err := p.entity()
			change.PutEntity = &entity
			return authz.InField(name, err)
		case "grant":
			grant, err := p.grant()
			change.PutGrant = &grant
			return authz.InField(name, err)
		case "delete":
			return authz.InField(name, p.deletion(&change))
		}
		return invalid("unknown member %s: %s", authz.Quote(name), expected)
	})
	if err != nil {
		return change, err
	}
	if members == 0 {
		return change, invalid("the line is empty: %s", expected)
	}
	if _, err := p.dec.ReadToken(); err != io.EOF {
		return change, invalid("something follows the object: expected one object a line")
	}
	return change, nil
}

func (p *Parser) entity() (e authz.Entity, err error) {
	err = p.object(func(name string) error {
		switch name {
		case "type":
			return p.string(name, &e.Ref.Type)
		case "id":
			return p.string(name, &e.Ref.ID)
		case "attributes":
			raw, err := p.value()
			e.Attributes = raw
			return err
		case "parents":
			return p.refs(name, &e.Parents)
		}
		return unknown(name, "type, id, attributes, parents")
	})
	if err != nil {
		return e, err
	}
	if err := required("type", e.Ref.Type, "id", e.Ref.ID); err != nil {
		return e, err
	}
	if e.Attributes, err = canonicalize(e.Ref, e.Attributes); err != nil {
		return e, err
	}
	return e, e.Validate()
}

func (p *Parser) grant() (g authz.Grant, err error) {
	err = p.object(func(name string) error {
		switch name {
		case "id":
			return p.string(name, &g.ID)
		case "subject":
			return p.ref(name, &g.Subject)
		case "role":
			return p.ref(name, &g.Role)
		case "scope":
			return p.ref(name, &g.Scope)
		case "not_before":
			return p.time(name, &g.NotBefore)
		case "not_after":
			return p.time(name, &g.NotAfter)
		case "reason":
			return p.string(name, &g.Reason)
		}
		return unknown(name, "id, subject, role, scope, not_before, not_after, reason")
	})
	if err != nil {
		return g, err
	}
	if err := required("id", g.ID, "subject", g.Subject.Type, "role", g.Role.Type); err != nil {
		return g, err
	}
	return g, g.Validate()
}

func (p *Parser) deletion(change *authz.Change) error {
	const expected = "expected one of entity, grant"
	members := 0
	err := p.object(func(name string) error {
		if members++; members > 1 {
			return invalid("the second member %s: %s", authz.Quote(name), expected)
		}
		switch name {
		case "entity":
			change.DeleteEntity = new(authz.EntityRef)
			if err := p.ref(name, change.DeleteEntity); err != nil {
				return err
			}
			return authz.InField(name, change.DeleteEntity.ValidateStored())
		case "grant":
			change.DeleteGrant = new(string)
			if err := p.string(name, change.DeleteGrant); err != nil {
				return err
			}
			return authz.InField(name, authz.ValidateGrantID(*change.DeleteGrant))
		}
		return invalid("unknown member %s: %s", authz.Quote(name), expected)
	})
	if err == nil && members == 0 {
		return invalid("nothing is named: %s", expected)
	}
	return err
}

// object reads an object and calls member at each of its values.
func (p *Parser) object(member func(name string) error) error {
	if kind := p.dec.PeekKind(); kind != jsontext.KindBeginObject {
		return p.mismatch("", "an object", kind)
	}
	if _, err := p.dec.ReadToken(); err != nil {
		return malformed(err)
	}
	for {
		token, err := p.dec.ReadToken()
		if err != nil {
			return malformed(err)
		}
		if token.Kind() == jsontext.KindEndObject {
			return nil
		}
		if err := member(token.String()); err != nil {
			return err
		}
	}
}

// value reads any value as it stands.
func (p *Parser) value() (json.RawMessage, error) {
	raw, err := p.dec.ReadValue()
	if err != nil {
		return nil, malformed(err)
	}
	return bytes.Clone(json.RawMessage(raw)), nil // raw is the decoder's
}

func (p *Parser) string(name string, to *string) error {
	if kind := p.dec.PeekKind(); kind != jsontext.KindString {
		return p.mismatch(name, "a string", kind)
	}
	token, err := p.dec.ReadToken()
	if err != nil {
		return malformed(err)
	}
	*to = token.String()
	return nil
}

func (p *Parser) ref(name string, to *authz.EntityRef) error {
	var text string
	if err := p.string(name, &text); err != nil {
		return err
	}
	ref, err := authz.ParseEntityRef(text)
	*to = ref
	return authz.InField(name, err)
}

func (p *Parser) refs(name string, to *[]authz.EntityRef) error {
	if kind := p.dec.PeekKind(); kind != jsontext.KindBeginArray {
		return p.mismatch(name, "an array of refs", kind)
	}
	if _, err := p.dec.ReadToken(); err != nil {
		return malformed(err)
	}
	for p.dec.PeekKind() != jsontext.KindEndArray {
		var ref authz.EntityRef
		if err := p.ref(name, &ref); err != nil {
			return err
		}
		if len(*to) == authz.MaxParents { // what follows is not worth its memory
			return authz.InvalidField(name, "there are more than %d: at most %[1]d are allowed", authz.MaxParents)
		}
		*to = append(*to, ref)
	}
	_, err := p.dec.ReadToken()
	return err
}

func (p *Parser) time(name string, to *time.Time) error {
	var text string
	if err := p.string(name, &text); err != nil {
		return err
	}
	t, err := parseTime(text)
	if err != nil {
		return authz.InvalidField(name, "%s", err)
	}
	*to = t
	return nil
}

// parseTime reads a time of RFC 3339, of at most nanoseconds. Go's own reading
// is strict but for a comma, and drops what is finer.
func parseTime(text string) (time.Time, error) {
	var t time.Time
	if err := t.UnmarshalText([]byte(text)); err != nil || strings.Contains(text, ",") || finerThanNanoseconds(text) {
		return t, fmt.Errorf("%s: expected a time as RFC 3339 writes it, such as 2026-01-01T00:00:00Z", authz.Quote(text))
	}
	if t.IsZero() {
		return t, fmt.Errorf("%s stands for no bound: leave the member out", authz.Quote(text))
	}
	return storable("", t)
}

func finerThanNanoseconds(text string) bool {
	_, fraction, _ := strings.Cut(text, ".")
	return strings.IndexAny(fraction+"Z", "Z+-") > len("999999999")
}

// mismatch is an error about a value of the wrong kind, under a name unless that
// is empty; a value that is no JSON at all is reported as that.
func (p *Parser) mismatch(name, expected string, kind jsontext.Kind) error {
	if _, err := p.dec.ReadValue(); err != nil {
		return malformed(err)
	}
	if name == "" {
		return invalid("is %s: expected %s", kindName(kind), expected)
	}
	return authz.InvalidField(name, "is %s: expected %s", kindName(kind), expected)
}

func malformed(err error) error {
	return invalid("malformed JSON: %s", jsonProblem(err))
}

func invalid(format string, args ...any) error {
	return authz.Errorf(authz.Invalid, format, args...)
}

func unknown(name, expected string) error {
	return authz.InvalidField(name, "unknown member %s: expected one of %s", authz.Quote(name), expected)
}

// required takes names and values in turn and reports the first empty one.
func required(pairs ...string) error {
	for i := 0; i < len(pairs); i += 2 {
		if pairs[i+1] == "" {
			return authz.InvalidField(pairs[i], "is missing or empty")
		}
	}
	return nil
}
