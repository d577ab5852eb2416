package piptest

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/verdictpdp/verdict/api/authz"
)

// A line is a line of the import format.
type line struct {
	Entity *struct {
		Type, ID   string
		Attributes json.RawMessage
		Parents    []string
	}
	Grant *struct {
		ID, Subject, Role, Scope, Reason string
		NotBefore                        time.Time `json:"not_before"`
		NotAfter                         time.Time `json:"not_after"`
	}
}

// Lines reads entities and grants in the import format, one a line. It ends
// the test on what it cannot read.
func Lines(t testing.TB, text string) []authz.Change {
	t.Helper()
	var changes []authz.Change
	for text := range strings.Lines(text) {
		if strings.TrimSpace(text) == "" {
			continue
		}
		var l line
		if err := json.Unmarshal([]byte(text), &l); err != nil {
			t.Fatalf("%s: %v", text, err)
		}
		switch {
		case l.Entity != nil:
			e := &authz.Entity{Ref: authz.EntityRef{Type: l.Entity.Type, ID: l.Entity.ID}, Attributes: l.Entity.Attributes}
			for _, parent := range l.Entity.Parents {
				e.Parents = append(e.Parents, Ref(t, parent))
			}
			changes = append(changes, authz.Change{PutEntity: e})
		case l.Grant != nil:
			g := &authz.Grant{
				ID: l.Grant.ID, Subject: Ref(t, l.Grant.Subject), Role: Ref(t, l.Grant.Role), Reason: l.Grant.Reason,
				NotBefore: l.Grant.NotBefore, NotAfter: l.Grant.NotAfter,
			}
			if l.Grant.Scope != "" {
				g.Scope = Ref(t, l.Grant.Scope)
			}
			changes = append(changes, authz.Change{PutGrant: g})
		default:
			t.Fatalf("%s is neither an entity nor a grant", text)
		}
	}
	return changes
}

// Ref reads type:id. It ends the test on anything else.
func Ref(t testing.TB, text string) authz.EntityRef {
	t.Helper()
	ref, err := authz.ParseEntityRef(text)
	if err != nil {
		t.Fatal(err)
	}
	return ref
}
