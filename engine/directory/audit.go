package directory

import (
	"context"
	"time"

	"github.com/verdictpdp/verdict/api/authz"
	"github.com/verdictpdp/verdict/engine/store"
)

// A Recorded is one change as it was recorded, and who made it.
type Recorded struct {
	Revision uint64
	// Time is when the revision was committed.
	Time time.Time
	// Touch is what was changed, by whom.
	store.Touch
}

// Deleted reports whether what was changed is gone.
func (r *Recorded) Deleted() bool { return r.Op == store.DeleteEntity || r.Op == store.DeleteGrant }

// An EntityDifference says how an entity changed.
type EntityDifference = store.EntityDifference

// An AuditQuery asks for the changes to which all of its members that are set apply.
type AuditQuery struct {
	// Entity was changed itself.
	Entity authz.EntityRef
	// GrantsOf is, or was, the subject of a grant that was given, changed or taken.
	GrantsOf authz.EntityRef
	// Author made the change, or had it made on their behalf.
	Author authz.EntityRef
	// Bundle is the name of a bundle that became the tenant's policy, or was refused.
	Bundle string
	// PolicyOnly leaves out the changes of the directory.
	PolicyOnly bool
	// Since and Until bound when the change was committed: Since <= t < Until. The
	// zero time leaves that side open.
	Since, Until time.Time
}

// An AuditPlace is where an audit goes on: at a change of a revision. The zero place
// is before the latest.
type AuditPlace struct {
	Revision uint64
	Change   int
}

// lookbackBytes is how much of the change records one call of Audit reads.
const lookbackBytes = 16 << 20

// Audit visits the changes of a tenant that a query asks for, those of later
// revisions first, from a place on, until take returns false. Next is where to go on:
// at the change that was not taken, or where the work of one call came to its bound.
// It is the zero place when there are no more.
//
// Changes are there for as long as Options.Audit says, in which the revisions that
// they led to may no longer be readable.
func (d *Directory) Audit(ctx context.Context, tenant string, q AuditQuery, from AuditPlace, take func(Recorded) bool) (next AuditPlace, err error) {
	return d.audit(ctx, tenant, q, from, lookbackBytes, take)
}

func (d *Directory) audit(ctx context.Context, tenant string, q AuditQuery, from AuditPlace, work int, take func(Recorded) bool) (next AuditPlace, err error) {
	tenant, err = d.served(tenant)
	if err != nil {
		return next, err
	}
	if err := ctx.Err(); err != nil {
		return next, err
	}
	view, err := d.store.Latest(tenant)
	if err != nil {
		return next, err
	}
	defer view.Close()
	back := store.Lookback{Before: from.Revision + 1, Since: q.Since, Naming: q.naming(), Work: work}
	if from == (AuditPlace{}) {
		latest := view.Revision()
		if !q.Until.IsZero() {
			if latest, err = view.RevisionAt(q.Until); err != nil {
				return next, err
			}
		}
		back.Before = latest + 1
	}
	rest, err := view.EachChangeBack(back, func(r store.ChangeRecord) bool {
		for i, touch := range r.Touches {
			if r.Revision == from.Revision && i < from.Change || !q.matches(touch) {
				continue
			}
			if !take(Recorded{Revision: r.Revision, Time: r.Time, Touch: touch}) {
				next = AuditPlace{r.Revision, i}
				return false
			}
		}
		return true
	})
	if err == nil && next == (AuditPlace{}) && rest > 1 {
		next = AuditPlace{Revision: rest - 1}
	}
	return next, err
}

// naming is a text that the record of every change has in it that the query asks for.
func (q AuditQuery) naming() string {
	for _, ref := range []authz.EntityRef{q.Entity, q.GrantsOf, q.Author} {
		if !ref.IsZero() {
			return ref.String()
		}
	}
	switch {
	case q.Bundle != "":
		return q.Bundle
	case q.PolicyOnly:
		return store.PolicyMark
	}
	return ""
}

func (q AuditQuery) matches(t store.Touch) bool {
	isPolicy := t.Op == store.SetPolicy
	return (!q.PolicyOnly || isPolicy) &&
		(q.Bundle == "" || isPolicy && t.Policy.Bundle == q.Bundle) &&
		(q.Entity.IsZero() || q.Entity == t.Ref) &&
		(q.GrantsOf.IsZero() || isOf(q.GrantsOf, t.Before) || isOf(q.GrantsOf, t.After)) &&
		(q.Author.IsZero() || t.Author != nil && (t.Author.Subject == q.Author || t.Author.OnBehalfOf == q.Author))
}

func isOf(subject authz.EntityRef, g *authz.Grant) bool { return g != nil && g.Subject == subject }
