package directory

import (
	"context"
	"errors"

	"github.com/verdictpdp/verdict/api/authz"
	"github.com/verdictpdp/verdict/engine/background"
	"github.com/verdictpdp/verdict/engine/store"
)

// MaxFindings is how many findings of a kind a check names.
const MaxFindings = 1_000

// CheckOptions say how far a check looks.
type CheckOptions struct {
	// Deep compares indexes, reverse edges and change records with what they
	// are derived from too. It reads the whole tenant.
	Deep bool
}

// A CheckReport is what a check has found. Of each list the first MaxFindings
// are there.
type CheckReport struct {
	// Revision is the one that was looked at.
	Revision uint64
	// DanglingParents are parents that do not exist. They are allowed: a bulk
	// load comes in any order.
	DanglingParents []DanglingParent
	// DanglingGrants are grants that name what does not exist. They are allowed,
	// and reach nobody until it does.
	DanglingGrants []DanglingGrant
	// Damage is what does not agree with what it is derived from. There is
	// none, unless the disk or the program is at fault.
	Damage []string
}

// Clean reports whether nothing was found.
func (r CheckReport) Clean() bool {
	return len(r.DanglingParents) == 0 && len(r.DanglingGrants) == 0 && len(r.Damage) == 0
}

// A DanglingParent is an entity with a parent that does not exist.
type DanglingParent struct {
	Entity, Parent authz.EntityRef
}

// A DanglingGrant is a grant that names an entity that does not exist.
type DanglingGrant struct {
	GrantID string
	// Member is where: "subject", "role" or "scope".
	Member string
	Ref    authz.EntityRef
}

// Check looks for what a tenant refers to and does not have, and, if asked to,
// for damage.
func (d *Directory) Check(ctx context.Context, tenant string, o CheckOptions) (CheckReport, error) {
	snapshot, err := d.Snapshot(ctx, tenant, authz.Consistency{})
	if err != nil {
		return CheckReport{}, err
	}
	defer snapshot.Close()
	report := CheckReport{Revision: snapshot.Revision()}
	if err := report.findDangling(ctx, d.pace.Begin(), snapshot); err != nil || !o.Deep {
		return report, err
	}
	err = snapshot.view().Check(ctx, func(damage string) bool {
		report.Damage = append(report.Damage, damage)
		return len(report.Damage) < MaxFindings
	})
	return report, err
}

// findDangling looks at all that is pointed to. Only what does not exist costs
// more than two reads.
func (r *CheckReport) findDangling(ctx context.Context, work background.Work, s *Snapshot) error {
	root := authz.Root(s.Tenant())
	var failed error
	err := s.view().EachLinked(func(ref authz.EntityRef, links store.Links) bool {
		if failed = work.Rest(ctx); failed != nil {
			return false
		}
		if ref == root {
			return true
		}
		_, known, err := s.Entity(ref)
		if err == nil && !known {
			err = r.addDangling(s, ref, links)
		}
		failed = err
		return failed == nil
	})
	return errors.Join(err, failed)
}

func (r *CheckReport) addDangling(s *Snapshot, ref authz.EntityRef, links store.Links) error {
	if links.Children > 0 && len(r.DanglingParents) < MaxFindings {
		if err := s.view().EachChild(ref, func(child authz.EntityRef) bool {
			r.DanglingParents = append(r.DanglingParents, DanglingParent{child, ref})
			return len(r.DanglingParents) < MaxFindings
		}); err != nil {
			return err
		}
	}
	for _, member := range []struct {
		name  string
		place store.Place
		count int
	}{
		{"subject", store.AsSubject, links.AsSubject},
		{"role", store.AsRole, links.AsRole},
		{"scope", store.AsScope, links.AsScope},
	} {
		if member.count == 0 || len(r.DanglingGrants) >= MaxFindings {
			continue
		}
		if err := s.view().EachGrantID(member.place, ref, "", func(id string) bool {
			r.DanglingGrants = append(r.DanglingGrants, DanglingGrant{id, member.name, ref})
			return len(r.DanglingGrants) < MaxFindings
		}); err != nil {
			return err
		}
	}
	return nil
}
