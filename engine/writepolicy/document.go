package writepolicy

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strconv"
	"time"

	"github.com/verdictpdp/verdict/api/authz"
	"github.com/verdictpdp/verdict/engine/directory"
)

// delegationDocument is the document input that the package's documentation shows.
func delegationDocument(proposal *directory.Proposal) (authz.Object, error) {
	by := proposal.Author()
	proposed := proposal.Changes()
	changes := make([]any, len(proposed))
	for i, change := range proposed {
		document, err := changeDocument(proposal.Tenant(), change)
		if err != nil {
			return nil, err
		}
		changes[i] = document
	}
	return authz.Object{
		"tenant": proposal.Tenant(), "person": by.OnBehalfOf.String(), "reason": by.Reason, "changes": changes,
		"caller": map[string]any{"subject": by.Subject.String(), "method": by.Method, "address": by.Address},
	}, nil
}

func changeDocument(tenant string, change directory.Proposed) (map[string]any, error) {
	if change.GrantID != "" {
		document := map[string]any{"grant": change.GrantID}
		for side, grant := range map[string]*authz.Grant{"before": change.GrantBefore, "after": change.GrantAfter} {
			if grant != nil {
				document[side] = grantDocument(tenant, grant)
			}
		}
		return document, nil
	}
	document := map[string]any{"entity": change.Entity.String()}
	for side, entity := range map[string]*authz.Entity{"before": change.EntityBefore, "after": change.EntityAfter} {
		if entity == nil {
			continue
		}
		var err error
		if document[side], err = entityDocument(entity); err != nil {
			return nil, err
		}
	}
	return document, nil
}

// grantDocument is a grant as data.directory has it.
func grantDocument(tenant string, g *authz.Grant) map[string]any {
	scope := g.Scope
	if scope.IsZero() {
		scope = authz.Root(tenant)
	}
	document := map[string]any{
		"id": g.ID, "subject": g.Subject.String(), "role": g.Role.String(), "scope": scope.String(),
		"not_before_ns": json.Number(strconv.FormatInt(g.NotBeforeNS(), 10)),
		"not_after_ns":  json.Number(strconv.FormatInt(g.NotAfterNS(), 10)),
	}
	for name, bound := range map[string]time.Time{"not_before": g.NotBefore, "not_after": g.NotAfter} {
		if !bound.IsZero() {
			document[name] = bound.Format(time.RFC3339Nano)
		}
	}
	if g.Reason != "" {
		document["reason"] = g.Reason
	}
	return document
}

// entityDocument is an entity as data.directory has it, without what is derived.
func entityDocument(e *authz.Entity) (map[string]any, error) {
	attributes := map[string]any{}
	if len(e.Attributes) > 0 {
		d := json.NewDecoder(bytes.NewReader(e.Attributes))
		d.UseNumber()
		if err := d.Decode(&attributes); err != nil {
			return nil, fmt.Errorf("the attributes of %s: %w", e.Ref, err)
		}
	}
	parents := make([]any, len(e.Parents))
	for i, parent := range e.Parents {
		parents[i] = parent.String()
	}
	return map[string]any{"type": e.Ref.Type, "id": e.Ref.ID, "ref": e.Ref.String(), "attributes": attributes, "parents": parents}, nil
}
