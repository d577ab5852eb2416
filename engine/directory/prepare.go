package directory

import (
	"slices"
	"time"

	"github.com/verdictpdp/verdict/api/authz"
)

// prepare checks a change against its tenant, and brings it into the one form
// in which it is stored. It shares no memory with the change given: a write
// whose caller has given up may still be made.
func prepare(tenant string, c authz.Change) (authz.Change, error) {
	var err error
	switch {
	case c.PutEntity != nil:
		e := *c.PutEntity
		e.Parents = slices.Clone(e.Parents)
		e.Attributes, err = canonicalAttributes(e.Ref, e.Attributes)
		err = authz.InField("put_entity", err)
		c.PutEntity = &e
	case c.PutGrant != nil:
		c, err = inTenant(tenant, c)
		err = authz.InField("put_grant", err)
	case c.DeleteEntity != nil:
		ref := *c.DeleteEntity
		c.DeleteEntity = &ref
	case c.DeleteGrant != nil:
		id := *c.DeleteGrant
		c.DeleteGrant = &id
	}
	return c, err
}

// inTenant is prepare for a change whose attributes are canonical and which
// shares no memory. Its errors name the fields of the grant.
func inTenant(tenant string, c authz.Change) (authz.Change, error) {
	if c.PutGrant == nil {
		return c, nil
	}
	g, err := prepareGrant(tenant, *c.PutGrant)
	c.PutGrant = &g
	return c, err
}

func prepareGrant(tenant string, g authz.Grant) (authz.Grant, error) {
	root := authz.Root(tenant)
	if err := within(root, "subject", g.Subject); err != nil {
		return g, err
	}
	if err := within(root, "scope", g.Scope); err != nil {
		return g, err
	}
	if g.Scope == root {
		g.Scope = authz.EntityRef{}
	}
	var err error
	if g.NotBefore, err = storable("not_before", g.NotBefore); err != nil {
		return g, err
	}
	g.NotAfter, err = storable("not_after", g.NotAfter)
	return g, err
}

// within refuses the root of another tenant, and what no entity can have as
// its ref.
func within(root authz.EntityRef, field string, ref authz.EntityRef) error {
	if ref.IsZero() || ref == root {
		return nil
	}
	if ref.IsRoot() {
		return authz.InvalidField(field, "%s is another tenant: here only %s can be named", authz.Quote(ref.String()), root)
	}
	return authz.InField(field, ref.ValidateStored())
}

// storable is a time in UTC, as it is written in an export, which knows the
// years that RFC 3339 knows.
func storable(field string, t time.Time) (time.Time, error) {
	if t.IsZero() {
		return time.Time{}, nil
	}
	t = t.UTC().Round(0)
	if year := t.Year(); year < 0 || year > 9999 {
		return t, authz.InvalidField(field, "the year %d cannot be written: expected 0 to 9999", year)
	}
	return t, nil
}
