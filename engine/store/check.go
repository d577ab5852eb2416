package store

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"iter"

	"github.com/dgraph-io/badger/v4"

	"github.com/verdictpdp/verdict/api/authz"
	"github.com/verdictpdp/verdict/engine/background"
)

// Check verifies the tables of the whole store, and compares what is derived with
// what it is derived from, at the view's revision: index entries and links with entities and grants, and the change
// records that are kept with what they say was changed. It calls damaged with
// each thing that is not as it should be, until that returns false. It reads
// the whole tenant, and remembers the entities that the change records name.
func (v *View) Check(ctx context.Context, damaged func(string) bool) error {
	c := &checker{view: v, ctx: ctx, work: v.store.options.Pace.Begin(), damaged: damaged}
	for _, step := range []func() error{c.files, c.records, c.links, c.history} {
		if err := errors.Join(step(), c.failed); err != nil || c.stopped {
			return err
		}
	}
	return nil
}

type checker struct {
	view    *View
	ctx     context.Context
	work    background.Work
	damaged func(string) bool
	stopped bool
	failed  error // what ended a visit of records
	// totals are the links of all entities, as the records have it.
	totals Links
}

func (c *checker) report(format string, args ...any) {
	if !c.stopped {
		c.stopped = !c.damaged(fmt.Sprintf(format, args...))
	}
}

// goOn reports whether to look further after a visit, which may have failed.
func (c *checker) goOn(err error) bool {
	if err == nil {
		err = c.work.Rest(c.ctx)
	}
	if c.failed == nil {
		c.failed = err
	}
	return c.failed == nil && !c.stopped
}

// count counts the keys of a space.
func (c *checker) count(space []byte) (n int, err error) {
	err = scan(c.view.txn(), space, nil, false, func([]byte, []byte) (bool, error) {
		n++
		return c.goOn(nil), nil
	})
	return n, err
}

// files verifies the tables.
func (c *checker) files() error {
	err := c.view.store.scrub(c.ctx, 0)
	if err != nil && isDamage(err) {
		c.report("%s", err)
		c.stopped = true // the rest is read from the same tables
		return nil
	}
	return err
}

// records looks up the index entries of every record, and counts those that
// there are.
func (c *checker) records() error {
	expected := make(map[space]int)
	err := c.view.eachRecord(func(r Record) bool {
		return c.goOn(checkRecord(c, r.Ref.String(), r.Entity, entityIndexes, entityLinks, expected))
	})
	if err != nil || !c.goOn(nil) {
		return err
	}
	err = c.view.EachGrant("", func(g authz.Grant) bool {
		return c.goOn(checkRecord(c, "grant "+g.ID, g, grantIndexes, grantLinks, expected))
	})
	if err != nil {
		return err
	}
	for _, index := range indexNames() {
		stored, err := c.count(prefix(c.view.tenant, index.space))
		if err != nil || !c.goOn(nil) {
			return err
		}
		if stored != expected[index.space] {
			c.report("index %s has %d entries: expected %d", index.name, stored, expected[index.space])
		}
	}
	return nil
}

type indexName struct {
	name  string
	space space
}

func indexNames() []indexName {
	var names []indexName
	for _, x := range entityIndexes {
		names = append(names, indexName{x.name, x.space})
	}
	for _, x := range grantIndexes {
		names = append(names, indexName{x.name, x.space})
	}
	return names
}

func checkRecord[Record any](c *checker, name string, r Record, indexes []index[Record], links func(string, Record) iter.Seq2[authz.EntityRef, Links], expected map[space]int) error {
	for _, index := range indexes {
		for e := range index.entries(c.view.tenant, r) {
			expected[index.space]++
			equal := false
			found, err := readValue(c.view.txn(), e.key, func(value []byte) error {
				equal = bytes.Equal(value, e.value)
				return nil
			})
			switch {
			case err != nil:
				return err
			case found == 0:
				c.report("index %s lacks %s", index.name, name)
			case !equal:
				c.report("index %s holds another %s", index.name, name)
			}
		}
	}
	for _, l := range links(c.view.tenant, r) {
		c.totals = c.totals.plus(l)
	}
	return nil
}

// links counts the index entries that every links record stands for.
func (c *checker) links() error {
	var sum Links
	err := c.view.EachLinked(func(ref authz.EntityRef, links Links) bool {
		var counted Links
		for _, count := range []struct {
			space space
			into  *int
		}{
			{spaceChild, &counted.Children}, {spaceBySubject, &counted.AsSubject},
			{spaceByRole, &counted.AsRole}, {spaceByScope, &counted.AsScope},
		} {
			var err error
			if *count.into, err = c.count(refKey(c.view.tenant, count.space, ref)); !c.goOn(err) {
				return false
			}
		}
		if counted != links {
			c.report("the links of %s are %+v: expected %+v", ref, links, counted)
		}
		sum = sum.plus(links)
		return c.goOn(nil)
	})
	if err == nil && c.goOn(nil) && sum != c.totals {
		c.report("all links come to %+v: expected %+v", sum, c.totals)
	}
	return err
}

// history follows the change records, and looks at what they touched, in the
// revision that did.
func (c *checker) history() error {
	floor, err := c.view.Floor()
	if err != nil {
		return err
	}
	head, err := readNumber(c.view.txn(), prefix(c.view.tenant, spaceHead))
	if err != nil {
		return err
	}
	entities := make(map[authz.EntityRef]uint64)
	var previous uint64
	err = c.view.EachChange(floor, func(r ChangeRecord) bool {
		if previous > 0 && r.Previous != previous || r.Previous >= r.Revision {
			c.report("the change record of revision %d follows %d: expected %d", r.Revision, r.Previous, previous)
		}
		previous = r.Revision
		for _, touch := range r.Touches {
			if touch.Op == PutEntity || touch.Op == DeleteEntity {
				entities[touch.Ref] = r.Revision
			}
		}
		return c.goOn(c.touched(r))
	})
	if err != nil || !c.goOn(nil) {
		return err
	}
	if head > floor && previous != head {
		c.report("the last change record is that of revision %d: expected %d", previous, head)
	}
	return c.view.eachRecord(func(r Record) bool {
		if r.Revision > floor && entities[r.Ref] != r.Revision {
			c.report("%s is of revision %d, and the change records say %d", r.Ref, r.Revision, entities[r.Ref])
		}
		return c.goOn(nil)
	})
}

// touched looks at what a change record says in its revision, if that has not
// left the window since the check began.
func (c *checker) touched(r ChangeRecord) error {
	view, err := c.view.store.At(c.view.tenant, r.Revision)
	if authz.KindOf(err) == authz.FailedPrecondition {
		return nil
	}
	if err != nil {
		return err
	}
	defer view.Close()
	for _, touch := range r.Touches {
		if touch.Op == SetPolicy {
			continue
		}
		key, name := refKey(view.tenant, spaceEntity, touch.Ref), touch.Ref.String()
		if touch.Op == PutGrant || touch.Op == DeleteGrant {
			key, name = grantKey(view.tenant, touch.GrantID), "grant "+touch.GrantID
		}
		revision, err := readValue(view.txn(), key, func([]byte) error { return nil })
		if err != nil {
			return err
		}
		switch put := touch.Op == PutEntity || touch.Op == PutGrant; {
		case put && revision != r.Revision:
			c.report("the change record of revision %d put %s, which is of revision %d", r.Revision, name, revision)
		case !put && revision != 0:
			c.report("the change record of revision %d deleted %s, which is there", r.Revision, name)
		}
	}
	return nil
}

// eachRecord visits all entities of the tenant, until visit returns false.
func (v *View) eachRecord(visit func(Record) bool) error {
	return scanItems(v.txn(), prefix(v.tenant, spaceEntity), nil, func(key []byte, item *badger.Item) (bool, error) {
		ref, err := wholeRef(key)
		if err != nil {
			return false, err
		}
		record := Record{Revision: item.Version()}
		err = v.txn().valueOf(item, func(value []byte) error {
			record.Entity, err = decodeEntity(ref, value)
			return err
		})
		return err == nil && visit(record), err
	})
}
