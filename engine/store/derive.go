package store

import (
	"bytes"
	"iter"
	"maps"
	"slices"

	"github.com/verdictpdp/verdict/api/authz"
)

// An effect is what one write comes to: the entries that change, the links
// that it adds and takes, and what it touched.
type effect struct {
	tenant  string
	entries []entry
	links   map[authz.EntityRef]Links
	touches []Touch
	items   items // the touches as they are recorded
	// changed are the entities whose record or own grants changed; one may be
	// there twice.
	changed []authz.EntityRef
	// aboveLeaf is whether one of them has children, or is the root.
	aboveLeaf bool
	size      int
	tokens    tokens
	writes    []token // what the write changes
}

// derive works out the effect of a write from before and after. It is the one
// place where records turn into keys for a commit.
func (tx *Tx) derive() (*effect, error) {
	d := &effect{
		tenant: tx.Tenant(),
		links:  make(map[authz.EntityRef]Links),
		tokens: tx.tokens,
	}
	// Entities come first, so that whoever makes the changes one after the
	// other deletes no grant that names a deleted entity again. One that the
	// write put back as it was counts as changed, as it goes with the entity
	// for whoever makes the changes.
	deleted := make(map[authz.EntityRef]struct{})
	for _, touch := range tx.order {
		if touch.Op != PutEntity {
			continue
		}
		if c := tx.entities[touch.Ref]; !sameEntity(c.before, c.after) {
			d.changed = append(d.changed, touch.Ref)
			d.entity(touch.Ref, c)
			if c.after == nil {
				deleted[touch.Ref] = struct{}{}
			}
		}
	}
	subjects := make(map[authz.EntityRef]struct{})
	for _, touch := range tx.order {
		if touch.Op != PutGrant {
			continue
		}
		if c := tx.grants[touch.GrantID]; !sameGrant(c.before, c.after) || names(d.tenant, c.after, deleted) {
			for _, g := range []*authz.Grant{c.before, c.after} {
				if g != nil {
					subjects[g.Subject] = struct{}{}
				}
			}
			d.grant(touch.GrantID, c)
		}
	}
	d.changed = slices.AppendSeq(d.changed, maps.Keys(subjects))
	for _, e := range d.entries {
		d.size += e.size()
	}
	for ref := range d.links {
		d.size += len(d.tenant) + len(ref.Type) + len(ref.ID) + linksOverhead
	}
	if len(d.touches) > 0 {
		d.items.add(tx.author, d.touches)
	}
	d.policies(tx.policies)
	d.size += len(d.items.body)
	return d, tx.findAboveLeaf(d)
}

// names reports whether a grant, if there is one, names any of some entities.
func names(tenant string, g *authz.Grant, refs map[authz.EntityRef]struct{}) bool {
	if g == nil || len(refs) == 0 {
		return false
	}
	for ref := range grantLinks(tenant, *g) {
		if _, named := refs[ref]; named {
			return true
		}
	}
	return false
}

// findAboveLeaf finds out whether what others inherit has changed, and so a
// write rests on which of the entities that it changes have children. One that
// gets its first child by a write accepted later need not be looked at: that
// child is itself among the changed.
func (tx *Tx) findAboveLeaf(d *effect) error {
	for _, ref := range d.changed {
		if ref.IsRoot() || d.links[ref].Children > 0 {
			d.aboveLeaf = true
			return nil
		}
	}
	for _, ref := range d.changed {
		isParent, err := tx.hadChildren(ref)
		if err != nil {
			return err
		}
		if isParent {
			d.aboveLeaf = true
			return nil
		}
	}
	return nil
}

func (d *effect) entity(ref authz.EntityRef, c *entityChange) {
	touch := Touch{Op: PutEntity, Ref: ref, Entity: difference(c.before, c.after)}
	key := refKey(d.tenant, spaceEntity, ref)
	if c.after == nil {
		touch.Op = DeleteEntity
		d.entries = append(d.entries, entry{key: key})
	} else {
		d.entries = append(d.entries, entry{key, appendEntity([]byte{}, *c.after)})
	}
	d.touches = append(d.touches, touch)
	d.writes = append(d.writes, d.tokens.of(entityToken, ref, ""))
	for _, index := range entityIndexes {
		d.entries = appendDifference(d.entries, entriesOf(index, d.tenant, c.before), entriesOf(index, d.tenant, c.after))
	}
	addLinks(d, entityLinks, c.before, -1, childrenToken)
	addLinks(d, entityLinks, c.after, +1, childrenToken)
}

func (d *effect) grant(id string, c *grantChange) {
	touch := Touch{Op: PutGrant, GrantID: id, Before: c.before, After: c.after}
	key := grantKey(d.tenant, id)
	if c.after == nil {
		touch.Op = DeleteGrant
		d.entries = append(d.entries, entry{key: key})
	} else {
		d.entries = append(d.entries, entry{key, appendGrant([]byte{}, *c.after)})
	}
	d.touches = append(d.touches, touch)
	d.writes = append(d.writes, d.tokens.of(grantToken, authz.EntityRef{}, id))
	for _, index := range grantIndexes {
		d.entries = appendDifference(d.entries, entriesOf(index, d.tenant, c.before), entriesOf(index, d.tenant, c.after))
	}
	addLinks(d, grantLinks, c.before, -1, grantsToken)
	addLinks(d, grantLinks, c.after, +1, grantsToken)
}

// policies notes what became of the tenant's policy, if the write tells of that.
func (d *effect) policies(touches []Touch) {
	if len(touches) == 0 {
		return
	}
	for _, touch := range touches {
		d.items.add(touch.Author, []Touch{touch})
	}
	d.touches = append(d.touches, touches...)
	last := entry{prefix(d.tenant, spacePolicy), appendPolicy(nil, *touches[len(touches)-1].Policy)}
	d.entries = append(d.entries, last)
	d.size += last.size()
	d.writes = append(d.writes, d.tokens.of(policyToken, authz.EntityRef{}, ""))
}

// entriesOf are the entries of an index for a record; none where there is no
// record.
func entriesOf[Record any](x index[Record], tenant string, r *Record) iter.Seq[entry] {
	if r == nil {
		return none
	}
	return x.entries(tenant, *r)
}

// appendDifference appends what turns the entries of before into those of
// after.
func appendDifference(entries []entry, before, after iter.Seq[entry]) []entry {
	var old map[string][]byte
	for e := range before {
		if old == nil {
			old = make(map[string][]byte)
		}
		old[string(e.key)] = e.value
	}
	for e := range after {
		value, stays := old[string(e.key)]
		delete(old, string(e.key))
		if !stays || !bytes.Equal(value, e.value) {
			entries = append(entries, e)
		}
	}
	for key := range old {
		entries = append(entries, entry{key: []byte(key)})
	}
	return entries
}

// addLinks adds the links of a record, or takes them, and notes that they
// changed.
func addLinks[Record any](d *effect, links func(string, Record) iter.Seq2[authz.EntityRef, Links], r *Record, sign int, kind tokenKind) {
	if r == nil {
		return
	}
	for ref, l := range links(d.tenant, *r) {
		d.links[ref] = d.links[ref].plus(l.times(sign))
		d.writes = append(d.writes, d.tokens.of(kind, ref, ""))
	}
}
