package store

import (
	"cmp"
	"fmt"
	"slices"
	"time"

	"github.com/dgraph-io/badger/v4"
	"go.uber.org/zap"

	"github.com/verdictpdp/verdict/api/authz"
)

// What counts against the limits of one commit.
const (
	// What an entry takes in a transaction beyond key and value: its
	// timestamp, flags, size and seal.
	entryOverhead = 24 + sealSize
	// What the links of an entity take beyond its ref.
	linksOverhead = 64
	// What the store's own keys of a commit take, those that it deletes for
	// history included.
	commitOverheadBytes   = 64 << 10
	commitOverheadEntries = 2_000
)

// A group is the writes that become one revision.
type group struct {
	size    sizing
	members []*Write
	effects []*effect
	bytes   int
	entries int
	// writes is what the first of the effects change, as many as are indexed.
	writes  map[token]struct{}
	indexed int
}

func newGroup(size sizing) *group {
	return &group{size: size, bytes: commitOverheadBytes, entries: commitOverheadEntries, writes: make(map[token]struct{})}
}

// count is how many entries an effect takes at most.
func (d *effect) count() int {
	return len(d.entries) + len(d.links) + d.size/maxChunkBytes + 2
}

// fits reports whether an effect fits into the group's transaction.
func (g *group) fits(d *effect) bool {
	return g.bytes+d.size <= g.size.commitBytes && g.entries+d.count() <= g.size.commitEntries
}

// changes reports whether the group changes any of what a write has read.
func (g *group) changes(reads []token) bool {
	for _, d := range g.effects[g.indexed:] {
		for _, t := range d.writes {
			g.writes[t] = struct{}{}
		}
	}
	g.indexed = len(g.effects)
	return len(g.writes) > 0 && slices.ContainsFunc(reads, func(read token) bool {
		_, changed := g.writes[read]
		return changed
	})
}

func (g *group) add(w *Write, d *effect) {
	g.members = append(g.members, w)
	g.effects = append(g.effects, d)
	g.bytes += d.size
	g.entries += d.count()
}

// answer answers all writes of the group.
func (g *group) answer(revision uint64, err error) {
	for _, w := range g.members {
		w.answer(revision, err)
	}
}

// A plan is what a group comes to.
type plan struct {
	revision uint64
	time     time.Time
	entries  []entry
	tenants  []*tenantCommit
	recorded int64 // how many bytes its change records take
	expired  expiry
}

// A commit is a group on its way to the disk.
type commit struct {
	group  *group
	plan   plan
	after  *version
	landed chan error // gets what Badger says
}

// begin begins to put a group on disk as the next revision. Nothing of it is
// there when that is refused.
func (s *Store) begin(g *group) (*commit, error) {
	if err := s.refusal(); err != nil {
		return nil, err
	}
	c := &commit{group: g, after: s.published.Load(), landed: make(chan error, 1)}
	if err := s.guard(func() (err error) {
		c.plan, err = s.plan(g, c.after)
		return err
	}); err != nil {
		return nil, err
	}
	txn := s.db.NewTransactionAt(c.after.revision, true)
	for _, e := range c.plan.entries {
		if err := set(txn, e, c.plan.revision); err != nil {
			txn.Discard()
			return nil, fmt.Errorf("putting %d entries into one transaction: %w", len(c.plan.entries), err)
		}
	}
	go func() {
		defer txn.Discard()
		begun := time.Now()
		err := s.commitAt(txn, c.plan.revision)
		if s.options.Committed != nil {
			s.options.Committed(time.Since(begun), err)
		}
		c.landed <- err
	}()
	return c, nil
}

// finish publishes a commit that is on disk, and answers its writes.
func (s *Store) finish(c *commit, err error) {
	p := c.plan
	if err != nil {
		// Part of it may be on disk, and the revision is not to be taken twice.
		failed := authz.Errorf(authz.Unavailable, "the directory takes no more writes, since revision %d could not be written: check the disk and restart: %w", p.revision, err)
		s.failed.set(failed)
		s.options.Logger.Error("writes are refused from now on", zap.Error(failed))
		c.group.answer(0, failed)
		return
	}
	s.acknowledge(p.revision)
	if s.format != format {
		s.sealedFrom.Store(p.revision)
	}
	s.lastTime, s.format = p.time, format
	s.audited = p.expired.audited
	if s.options.AuditBytes > 0 {
		s.records.add(p.revision, p.recorded, s.options.AuditBytes/recordParts)
	}
	latest := expiring{revision: p.revision, time: p.time}
	s.expiring = cmp.Or(p.expired.next, latest)
	s.unaudit = cmp.Or(p.expired.nextAudit, latest)
	var bumped []string
	for _, t := range p.tenants {
		s.heads[t.name] = p.revision
		s.links.set(t.name, t.links)
		if t.aboveLeaf || c.after.epoch(t.name) == 0 {
			bumped = append(bumped, t.name)
		}
		if s.options.OnCommit != nil {
			s.options.OnCommit(t.name, p.revision, t.changed)
		}
	}
	if len(p.tenants) > 0 {
		s.wrote, s.wroteAt = p.revision, p.time
	}
	s.tellRecords()
	s.publish(c.after.next(p.revision, bumped))
	s.expiredTo(p.expired.floor, p.time)
	s.setFloor(p.expired.floor)
	c.group.answer(p.revision, nil)
}

// plan works out what a group comes to after a version.
func (s *Store) plan(g *group, after *version) (plan, error) {
	read := s.at(after.revision)
	defer read.Discard()
	now := s.options.Clock()
	// Rounding takes away the process's own time, by which two readings would be
	// compared although the clock was set back between them.
	p := plan{revision: after.revision + 1, time: now.Round(0)}
	if p.time.Before(s.lastTime) {
		p.time = s.lastTime // so that the order of revisions is one of times
	}
	var err error
	if p.entries, p.tenants, err = s.entriesOf(g, read, p.revision, p.time); err != nil {
		return p, err
	}
	for _, t := range p.tenants {
		p.recorded += t.recorded
	}
	p.expired, err = s.expire(read, now)
	p.entries = append(p.entries, p.expired.entries...)
	return p, err
}

func set(txn *badger.Txn, e entry, revision uint64) error {
	if e.value == nil {
		return txn.Delete(e.key)
	}
	return txn.Set(e.key, seal(e.key, revision, e.value))
}

// A tenantCommit is what a group changes in one tenant.
type tenantCommit struct {
	name      string
	items     items
	changed   []authz.EntityRef
	aboveLeaf bool
	recorded  int64                     // how many bytes its change record takes
	links     map[authz.EntityRef]Links // that change; as they are after, once the commit is planned
}

// addLinks adds the links of an effect, which it may keep.
func (t *tenantCommit) addLinks(changes map[authz.EntityRef]Links) {
	if t.links == nil {
		t.links = changes
		return
	}
	for ref, links := range changes {
		t.links[ref] = t.links[ref].plus(links)
	}
}

// entriesOf puts the effects of a group together into the entries of one
// transaction: the records and indexes, the links, and for each tenant a
// change record and its head.
func (s *Store) entriesOf(g *group, read source, revision uint64, now time.Time) ([]entry, []*tenantCommit, error) {
	var tenants []*tenantCommit
	byName := make(map[string]*tenantCommit)
	entries := make([]entry, 0, g.entries)
	for _, d := range g.effects {
		t := byName[d.tenant]
		if t == nil {
			t = &tenantCommit{name: d.tenant}
			byName[d.tenant] = t
			tenants = append(tenants, t)
		}
		entries = append(entries, d.entries...)
		t.items.join(d.items)
		t.changed = append(t.changed, d.changed...)
		t.aboveLeaf = t.aboveLeaf || d.aboveLeaf
		t.addLinks(d.links)
	}
	commit := commitRecord{time: now}
	for _, t := range tenants {
		var err error
		if entries, err = s.appendLinkEntries(entries, read, t); err != nil {
			return nil, nil, err
		}
		head, err := s.head(read, t.name)
		if err != nil {
			return nil, nil, err
		}
		before := len(entries)
		entries = appendChangeRecord(entries, t.name, ChangeRecord{Revision: revision, Previous: head, Time: now}, t.items)
		for _, e := range entries[before:] {
			t.recorded += sizeOnDisk(e)
		}
		commit.tenants = append(commit.tenants, changedTenant{t.name, len(entries) - before})
		entries = append(entries, entry{prefix(t.name, spaceHead), appendNumber(revision)})
	}
	entries = append(entries, entry{commitKey(revision), appendCommitRecord(nil, commit)})
	if s.format != format {
		entries = append(entries, entry{systemKey(systemFormat), appendNumber(format)})
	}
	return entries, tenants, nil
}

// appendLinkEntries appends the links that a commit changes, and makes them
// those after it.
func (s *Store) appendLinkEntries(entries []entry, read source, t *tenantCommit) ([]entry, error) {
	for ref, change := range t.links {
		if change == (Links{}) {
			delete(t.links, ref)
			continue
		}
		key := refKey(t.name, spaceLinks, ref)
		links, known := s.links.of(t.name, ref)
		if !known {
			var err error
			if links, err = readLinks(read, key); err != nil {
				return nil, err
			}
		}
		e := entry{key: key}
		if links = links.plus(change); links != (Links{}) {
			e.value = appendLinks([]byte{}, links)
		}
		t.links[ref] = links
		entries = append(entries, e)
	}
	return entries, nil
}

// head is the revision of a tenant's last change.
func (s *Store) head(read source, tenant string) (uint64, error) {
	if head, known := s.heads[tenant]; known {
		return head, nil
	}
	return readNumber(read, prefix(tenant, spaceHead))
}
