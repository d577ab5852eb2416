package store

import (
	"bytes"
	"context"
	"fmt"
	"iter"

	"github.com/dgraph-io/badger/v4"

	"github.com/verdictpdp/verdict/api/authz"
)

// Check compares what is derived with what it is derived from, at the view's
// revision: index entries and links with entities and grants, and the change
// records that are kept with what they say was changed. It calls damaged with
// each thing that is not as it should be, until that returns false. It reads
// the whole tenant.
func (v *View) Check(ctx context.Context, damaged func(string) bool) error {
	c := &checker{view: v, ctx: ctx, damaged: damaged}
	for _, step := range []func() error{c.records, c.links, c.history} {
		if err := step(); err != nil || c.stopped {
			return err
		}
	}
	return nil
}

type checker struct {
	view    *View
	ctx     context.Context
	damaged func(string) bool
	stopped bool
	// totals are the links of all entities, as the records have it.
	totals Links
}

func (c *checker) report(format string, args ...any) {
	if !c.stopped {
		c.stopped = !c.damaged(fmt.Sprintf(format, args...))
	}
}

// goOn reports whether to look further.
func (c *checker) goOn(err *error) bool {
	if *err == nil {
		*err = c.ctx.Err()
	}
	return *err == nil && !c.stopped
}

// records looks up the index entries of every record, and counts those that
// there are.
func (c *checker) records() error {
	expected := make(map[space]int)
	var failed error
	err := c.view.eachRecord(func(r Record) bool {
		failed = checkRecord(c, r.Ref.String(), r.Entity, entityIndexes, entityLinks, expected)
		return c.goOn(&failed)
	})
	if err != nil || failed != nil || c.stopped {
		return firstOf(err, failed)
	}
	err = c.view.EachGrant("", func(g authz.Grant) bool {
		failed = checkRecord(c, "grant "+g.ID, g, grantIndexes, grantLinks, expected)
		return c.goOn(&failed)
	})
	if err != nil || failed != nil || c.stopped {
		return firstOf(err, failed)
	}
	for _, index := range indexNames() {
		stored := 0
		if err := scan(c.view.txn, prefix(c.view.tenant, index.space), nil, false, func([]byte, []byte) (bool, error) {
			stored++
			return true, c.ctx.Err()
		}); err != nil {
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
			found, err := readValue(c.view.txn, e.key, func(value []byte) error {
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
	return c.ctx.Err()
}

// links counts the index entries that every links record stands for.
func (c *checker) links() error {
	var sum Links
	var failed error
	err := c.view.EachLinked(func(ref authz.EntityRef, links Links) bool {
		var counted Links
		for _, count := range []struct {
			space space
			into  *int
		}{
			{spaceChild, &counted.Children}, {spaceBySubject, &counted.AsSubject},
			{spaceByRole, &counted.AsRole}, {spaceByScope, &counted.AsScope},
		} {
			err := scan(c.view.txn, refKey(c.view.tenant, count.space, ref), nil, false, func([]byte, []byte) (bool, error) {
				*count.into++
				return true, nil
			})
			failed = firstOf(failed, err)
		}
		if counted != links {
			c.report("the links of %s are %+v: expected %+v", ref, links, counted)
		}
		sum = sum.plus(links)
		return c.goOn(&failed)
	})
	if err == nil && failed == nil && !c.stopped && sum != c.totals {
		c.report("all links come to %+v: expected %+v", sum, c.totals)
	}
	return firstOf(err, failed)
}

// history follows the change records, and looks at what they touched, in the
// revision that did.
func (c *checker) history() error {
	floor := c.view.store.floor.Load()
	head, err := readNumber(c.view.txn, prefix(c.view.tenant, spaceHead))
	if err != nil {
		return err
	}
	entities := make(map[authz.EntityRef]uint64)
	var previous uint64
	var failed error
	err = c.view.EachChange(floor, func(r ChangeRecord) bool {
		if previous > 0 && r.Previous != previous || r.Previous >= r.Revision {
			c.report("the change record of revision %d follows %d: expected %d", r.Revision, r.Previous, previous)
		}
		previous = r.Revision
		failed = c.touched(r, entities)
		return c.goOn(&failed)
	})
	if err != nil || failed != nil || c.stopped {
		return firstOf(err, failed)
	}
	if head > floor && previous != head {
		c.report("the last change record is that of revision %d: expected %d", previous, head)
	}
	err = c.view.eachRecord(func(r Record) bool {
		if r.Revision > floor && entities[r.Ref] != r.Revision {
			c.report("%s is of revision %d, and the change records say %d", r.Ref, r.Revision, entities[r.Ref])
		}
		return c.goOn(&failed)
	})
	return firstOf(err, failed)
}

func (c *checker) touched(r ChangeRecord, entities map[authz.EntityRef]uint64) error {
	view, err := c.view.store.At(c.view.tenant, r.Revision)
	if err != nil {
		return err
	}
	defer view.Close()
	for _, touch := range r.Touches {
		key := refKey(view.tenant, spaceEntity, touch.Ref)
		name := touch.Ref.String()
		if touch.Op == PutGrant || touch.Op == DeleteGrant {
			key, name = grantKey(view.tenant, touch.GrantID), "grant "+touch.GrantID
		} else {
			entities[touch.Ref] = r.Revision
		}
		revision, err := readValue(view.txn, key, func([]byte) error { return nil })
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
	return scanItems(v.txn, prefix(v.tenant, spaceEntity), nil, func(key []byte, item *badger.Item) (bool, error) {
		ref, err := wholeRef(key)
		if err != nil {
			return false, err
		}
		record := Record{Revision: item.Version()}
		err = item.Value(func(value []byte) error {
			record.Entity, err = decodeEntity(ref, value)
			return err
		})
		return err == nil && visit(record), err
	})
}

func firstOf(errs ...error) error {
	for _, err := range errs {
		if err != nil {
			return err
		}
	}
	return nil
}
