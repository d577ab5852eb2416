package mapping

import (
	"slices"
	"strings"

	"github.com/verdictpdp/verdict/api/authz"
)

// parts say which parts of a request the rule has yielded.
type parts struct{ subject, action, resource bool }

// requestOf reads what the rule yields. An error says what in it is not as the
// package verdict.http tells.
func requestOf(tenant string, value any) (*authz.Request, parts, error) {
	object, err := objectOf("request", value, "subject", "action", "resource", "context")
	if err != nil {
		return nil, parts{}, err
	}
	request := &authz.Request{Tenant: tenant}
	var found parts
	for name, part := range object {
		if part == nil {
			continue // as if it were left out
		}
		switch name {
		case "subject":
			found.subject = true
			request.Subject.Type, request.Subject.ID, request.Subject.Properties, err = entityOf(name, part)
		case "action":
			found.action = true
			request.Action, err = actionOf(part)
		case "resource":
			found.resource = true
			request.Resource.Type, request.Resource.ID, request.Resource.Properties, err = entityOf(name, part)
		case "context":
			request.Context, err = plainObject(name, part)
		}
		if err != nil {
			return nil, parts{}, err
		}
	}
	return request, found, nil
}

func entityOf(name string, value any) (typ, id string, properties authz.Object, err error) {
	object, err := objectOf(name, value, "type", "id", "properties")
	if err != nil {
		return "", "", nil, err
	}
	if typ, err = textOf(name, object, "type"); err != nil {
		return "", "", nil, err
	}
	if id, err = textOf(name, object, "id"); err != nil {
		return "", "", nil, err
	}
	properties, err = propertiesOf(name, object)
	return typ, id, properties, err
}

func actionOf(value any) (action authz.Action, err error) {
	object, err := objectOf("action", value, "name", "properties")
	if err != nil {
		return authz.Action{}, err
	}
	if action.Name, err = textOf("action", object, "name"); err != nil {
		return authz.Action{}, err
	}
	action.Properties, err = propertiesOf("action", object)
	return action, err
}

func propertiesOf(part string, object authz.Object) (authz.Object, error) {
	properties, are := object["properties"]
	if !are {
		return nil, nil
	}
	return plainObject(part+".properties", properties)
}

// objectOf is a value that must be an object of certain members.
func objectOf(name string, value any, members ...string) (authz.Object, error) {
	object, err := plainObject(name, value)
	if err != nil {
		return nil, err
	}
	for member := range object {
		if !slices.Contains(members, member) {
			return nil, authz.Errorf(authz.Evaluation, "what the rule yields has the member %s in %s: expected none but %s",
				authz.Quote(member), name, strings.Join(members, ", "))
		}
	}
	return object, nil
}

func plainObject(name string, value any) (authz.Object, error) {
	object, is := value.(authz.Object)
	if !is {
		return nil, authz.Errorf(authz.Evaluation, "what the rule yields as %s is no object", name)
	}
	return object, nil
}

func textOf(name string, object authz.Object, member string) (string, error) {
	text, is := object[member].(string)
	if !is || text == "" {
		return "", authz.Errorf(authz.Evaluation, "what the rule yields as %s.%s is no text, or an empty one", name, member)
	}
	return text, nil
}
