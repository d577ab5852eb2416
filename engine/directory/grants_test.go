package directory

import (
	"fmt"
	"testing"

	"github.com/verdictpdp/verdict/api/authz"
)

// grantAll grants mina so many roles.
func grantAll(t *testing.T, d *Directory, from, to int) {
	t.Helper()
	var batch authz.Batch
	for i := from; i < to; i++ {
		g := authz.Grant{
			ID: fmt.Sprint(i), Subject: authz.EntityRef{Type: "user", ID: "mina"},
			Role: authz.EntityRef{Type: authz.RoleType, ID: "nurse"}, Scope: group(i % 2),
		}
		batch.Changes = append(batch.Changes, authz.Change{PutGrant: &g})
	}
	if _, err := d.Write(t.Context(), "workforce", batch); err != nil {
		t.Fatal(err)
	}
}

func TestReadingGrantsIsBounded(t *testing.T) {
	d, err := Open(Options{Tenants: []string{"workforce"}})
	if err != nil {
		t.Fatal(err)
	}
	defer d.Close()
	mina := authz.EntityRef{Type: "user", ID: "mina"}
	at := func() *Snapshot {
		s, err := d.Snapshot(t.Context(), "workforce", authz.Consistency{})
		if err != nil {
			t.Fatal(err)
		}
		return s
	}

	grantAll(t, d, 0, MaxGrantsOf)
	full := at()
	if grants, err := full.GrantsOf(mina); err != nil || len(grants) != MaxGrantsOf {
		t.Errorf("%d grants at the limit, %v", len(grants), err)
	}
	query := GrantQuery{Subject: mina, Scope: group(1)} // every other one
	if grants, err := full.grants(query, "", MaxGrantsOf, MaxGrantsOf/2); err != nil || len(grants) != MaxGrantsOf/2 {
		t.Errorf("%d grants found at the limit, %v", len(grants), err)
	}
	if _, err := full.grants(query, "", MaxGrantsOf, MaxGrantsOf/2-1); authz.KindOf(err) != authz.LimitExceeded {
		t.Errorf("a query past the limit: %v", err)
	}
	full.Close()

	grantAll(t, d, MaxGrantsOf, MaxGrantsOf+1)
	more := at()
	defer more.Close()
	if _, err := more.GrantsOf(mina); authz.KindOf(err) != authz.LimitExceeded {
		t.Errorf("grants past the limit: %v", err)
	}
}
