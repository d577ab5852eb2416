package pdp

import (
	"encoding/json"
	"strconv"
	"unicode/utf8"

	"github.com/verdictpdp/verdict/api/authz"
	"github.com/verdictpdp/verdict/engine/eval"
)

// MaxDepth bounds the nesting of a request's properties and context.
const MaxDepth = 64

// inspect walks a request once, so that no evaluator has to. It reports what is
// wrong with its form and values, by field, and estimates the bytes of its JSON.
// It stops when they pass the limit.
func inspect(r *authz.Request, limit int) (size int, err error) {
	if r == nil {
		return 0, authz.Errorf(authz.Invalid, "there is no request")
	}
	i := inspection{limit: limit, size: envelopeBytes}
	i.name("tenant", r.Tenant)
	i.name("subject.type", r.Subject.Type)
	i.name("subject.id", r.Subject.ID)
	i.part("subject.properties", r.Subject.Properties)
	i.name("action.name", r.Action.Name)
	i.part("action.properties", r.Action.Properties)
	i.name("resource.type", r.Resource.Type)
	i.name("resource.id", r.Resource.ID)
	i.part("resource.properties", r.Resource.Properties)
	i.part("context", r.Context)
	return i.size, authz.JoinInvalid(i.wrong)
}

// Estimated bytes of JSON.
const (
	envelopeBytes = 160 // a request's own braces and names
	numberBytes   = 8   // a number that is not text yet
)

type inspection struct {
	size, limit int
	wrong       []error
}

// name takes a text that must be there.
func (i *inspection) name(field, text string) {
	if text == "" {
		i.wrong = append(i.wrong, authz.InvalidField(field, "is missing: give it as a non-empty string"))
		return
	}
	if err := i.text(text); err != nil {
		i.wrong = append(i.wrong, authz.InField(field, err))
	}
}

// part takes an object that may be empty.
func (i *inspection) part(field string, object authz.Object) {
	if len(object) == 0 {
		return
	}
	if err := i.object(object, 1); err != nil {
		i.wrong = append(i.wrong, authz.InField(field, err))
	}
}

func (i *inspection) text(text string) error {
	i.size += len(text) + len(`"",`)
	if i.size <= i.limit && !utf8.ValidString(text) {
		return authz.Errorf(authz.Invalid, "%s is not valid UTF-8", authz.Quote(text))
	}
	return nil
}

// value takes any value. Its errors name the fields below it.
func (i *inspection) value(value any, depth int) error {
	switch value := value.(type) {
	case string:
		return i.text(value)
	case json.Number:
		i.size += len(value) + len(",")
		if i.size > i.limit {
			return nil
		}
	case nil, bool:
		i.size += len("false,")
		return nil
	case int, int64, float64:
		i.size += numberBytes
	case []any:
		return i.array(value, depth+1)
	case map[string]any:
		return i.object(value, depth+1)
	}
	return eval.Validate(value)
}

func (i *inspection) array(array []any, depth int) error {
	if depth > MaxDepth {
		return tooDeep()
	}
	i.size += len("[],")
	for at, element := range array {
		if i.size > i.limit {
			return nil
		}
		if err := i.value(element, depth); err != nil {
			return authz.InField(strconv.Itoa(at), err)
		}
	}
	return nil
}

func (i *inspection) object(object map[string]any, depth int) error {
	if depth > MaxDepth {
		return tooDeep()
	}
	i.size += len("{},")
	for name, member := range object {
		if i.size > i.limit {
			return nil
		}
		if err := i.text(name); err != nil {
			return authz.Errorf(authz.Invalid, "a member's name: %w", err)
		}
		if err := i.value(member, depth); err != nil {
			return authz.InField(name, err)
		}
	}
	return nil
}

func tooDeep() error {
	return authz.Errorf(authz.Invalid, "is nested deeper than %d levels", MaxDepth)
}
