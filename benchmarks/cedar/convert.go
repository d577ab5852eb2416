package main

import (
	"encoding/json"
	"fmt"
	"slices"

	"github.com/cedar-policy/cedar-go"

	"github.com/verdictpdp/verdict/api/authz"
)

// A converter makes Cedar's values of what a directory holds.
type converter struct {
	refs []string // the attributes that hold refs
}

func newConverter(refs []string) converter { return converter{refs} }

// entities are entities as Cedar looks them up.
func (c converter) entities(all []authz.Entity) (cedar.EntityMap, error) {
	converted := make(cedar.EntityMap, len(all))
	for _, e := range all {
		parents := make([]cedar.EntityUID, len(e.Parents))
		for i, parent := range e.Parents {
			parents[i] = uid(parent)
		}
		attributes, err := c.attributes(e)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", e.Ref, err)
		}
		converted[uid(e.Ref)] = cedar.Entity{UID: uid(e.Ref), Parents: cedar.NewEntityUIDSet(parents...), Attributes: attributes}
	}
	return converted, nil
}

func uid(ref authz.EntityRef) cedar.EntityUID {
	return cedar.NewEntityUID(cedar.EntityType(ref.Type), cedar.String(ref.ID))
}

func (c converter) attributes(e authz.Entity) (cedar.Record, error) {
	if len(e.Attributes) == 0 {
		return cedar.Record{}, nil
	}
	var plain map[string]any
	if err := json.Unmarshal(e.Attributes, &plain); err != nil {
		return cedar.Record{}, err
	}
	record := make(cedar.RecordMap, len(plain))
	for name, value := range plain {
		converted, err := cedarValue(value, slices.Contains(c.refs, name))
		if err != nil {
			return cedar.Record{}, fmt.Errorf("%s: %w", name, err)
		}
		record[cedar.String(name)] = converted
	}
	return cedar.NewRecord(record), nil
}

// cedarValue is a text, a truth value or a list as Cedar has it, with texts as
// entities where they are refs. No policy for Cedar reads others.
func cedarValue(value any, isRef bool) (cedar.Value, error) {
	switch value := value.(type) {
	case bool:
		return cedar.Boolean(value), nil
	case string:
		if !isRef {
			return cedar.String(value), nil
		}
		ref, err := authz.ParseEntityRef(value)
		return uid(ref), err
	case []any:
		members := make([]cedar.Value, len(value))
		for i, member := range value {
			var err error
			if members[i], err = cedarValue(member, isRef); err != nil {
				return nil, err
			}
		}
		return cedar.NewSet(members...), nil
	default:
		return nil, fmt.Errorf("a %T: only texts, truth values and lists are converted", value)
	}
}
