package eval

import (
	"encoding/json"
	"math"
	"strconv"

	"github.com/open-policy-agent/opa/v1/ast"

	"github.com/verdictpdp/verdict/api/authz"
)

// Validate reports what making the document input would, without making it, unless
// somebody has asked before.
func (in *Input) Validate() error {
	switch {
	case in.Validated:
		return nil
	case in.Request == nil:
		return authz.InField("input", validateObject(in.Document))
	default:
		return in.Parts.validate(in.Request)
	}
}

// validate converts what several requests share, once.
func (p *Parts) validate(r *authz.Request) error {
	for _, part := range [...]struct {
		field  string
		object authz.Object
	}{
		{"subject.properties", r.Subject.Properties},
		{"action.properties", r.Action.Properties},
		{"resource.properties", r.Resource.Properties},
		{"context", r.Context},
	} {
		if len(part.object) == 0 {
			continue
		}
		if p.Shares(part.object) {
			if _, err := p.Object(part.field, part.object); err != nil {
				return err
			}
			continue
		}
		if err := validateObject(part.object); err != nil {
			return authz.InField(part.field, err)
		}
	}
	return nil
}

func validateObject(o authz.Object) error {
	for name, value := range o {
		if err := Validate(value); err != nil {
			return authz.InField(name, err)
		}
	}
	return nil
}

// Validate reports what Value would about a value of a request, without making
// the term.
func Validate(value any) error {
	switch value := value.(type) {
	case nil, bool, string, int, int64, map[string]string:
		return nil
	case float64:
		if math.IsNaN(value) || math.IsInf(value, 0) {
			return notFinite(value)
		}
		return nil
	case json.Number:
		return validateNumber(string(value))
	case []any:
		for i, element := range value {
			if err := Validate(element); err != nil {
				return authz.InField(strconv.Itoa(i), err)
			}
		}
		return nil
	case map[string]any:
		return validateObject(value)
	default:
		return notJSON(value)
	}
}

func notFinite(value float64) error {
	return authz.Errorf(authz.Invalid, "%v is no JSON number", value)
}

func notJSON(value any) error {
	return authz.Errorf(authz.Invalid, "a value of Go type %T: expected what JSON can hold", value)
}

// validateNumber reports whether a text is a number that can be computed with.
func validateNumber(text string) error {
	if !isNumber(text) {
		return authz.Errorf(authz.Invalid, "%s is no JSON number", authz.Quote(text))
	}
	if _, err := ast.NumberChecked(text); err != nil {
		return authz.Errorf(authz.Invalid, "number %s cannot be computed with: its exponent is too large", authz.Quote(text))
	}
	return nil
}
