package store

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"math"
	"reflect"
	"slices"
	"testing"
	"time"

	"go.uber.org/zap/zaptest"

	"github.com/verdictpdp/verdict/api/authz"
)

var hrSync = authz.Author{
	Subject: authz.EntityRef{Type: "service", ID: "hr-sync"}, Method: "mtls", Address: "10.0.0.7",
	OnBehalfOf: authz.EntityRef{Type: "user", ID: "dan"}, Reason: "joins the ward",
}

// everyTouch has a touch of each kind, by two authors.
func everyTouch() []Touch {
	grant := authz.Grant{ID: "g", Subject: mina, Role: nurse, NotAfter: time.Unix(1e9, 7).UTC(), Reason: "why"}
	later := grant
	later.NotAfter = time.Time{}
	nobody := &authz.Author{}
	return []Touch{
		{Op: PutEntity, Ref: mina, Author: &hrSync, Entity: &EntityDifference{Created: true, ParentsAdded: []authz.EntityRef{night}}},
		{Op: PutEntity, Ref: night, Author: &hrSync, Entity: &EntityDifference{ParentsRemoved: []authz.EntityRef{mina}, Attributes: []string{"a", "b"}}},
		{Op: DeleteEntity, Ref: mina, Author: &hrSync, Entity: &EntityDifference{ParentsRemoved: []authz.EntityRef{night}}},
		{Op: PutGrant, GrantID: "g", Author: nobody, After: &grant},
		{Op: PutGrant, GrantID: "g", Author: nobody, Before: &grant, After: &later},
		{Op: DeleteGrant, GrantID: "g", Author: nobody, Before: &later},
		{Op: SetPolicy, Author: nobody, Policy: &authz.PolicyChange{Bundle: "b", Path: "/p", Before: "1", Revision: "2", Digest: "d", Refused: "no", At: time.Unix(7, 8).UTC()}},
	}
}

// itemsOf are touches as they are recorded, those of one author as one write.
func itemsOf(touches []Touch) items {
	var all items
	for i := 0; i < len(touches); {
		end := i
		for end < len(touches) && touches[end].Author == touches[i].Author {
			end++
		}
		var write items
		write.add(touches[i].Author, touches[i:end])
		all.join(write)
		i = end
	}
	return all
}

func TestChangeRecordReadsBack(t *testing.T) {
	want := everyTouch()
	value := appendChangeRecord(nil, tenant, ChangeRecord{Revision: 7, Previous: 3, Time: time.Unix(3, 4)}, itemsOf(want))[0].value
	record, err := decodeChangeRecord(7, value)
	if err != nil {
		t.Fatal(err)
	}
	if record.Previous != 3 || !record.Time.Equal(time.Unix(3, 4)) || !reflect.DeepEqual(record.Touches, want) {
		t.Errorf("reads back as %+v", record)
	}
	for end := range value {
		if _, err := decodeChangeRecord(7, value[:end]); err == nil {
			t.Errorf("the first %d of %d bytes read as a record", end, len(value))
		}
	}
}

// format2Record is the change record that format 2 had of an entity and a grant.
func format2Record(at time.Time) []byte {
	value := binary.AppendVarint(binary.AppendUvarint(nil, 0), at.UnixNano())
	value = append(value, 2, 'E')
	value = appendRefText(value, mina)
	return appendText(append(value, 'g'), "g0")
}

func TestStoreOfTheFormatBeforeOpens(t *testing.T) {
	dir := t.TempDir()
	s := newStore(t, dir)
	fill(t, s)
	now := time.Now()
	txn := s.db.NewTransactionAt(1, true)
	err := scan(s.at(1), nil, []byte{systemByte}, true, func(key, value []byte) (bool, error) {
		switch string(key) {
		case string(systemKey(systemFormat)):
			value = appendNumber(oldestFormat)
		case string(changeKey(tenant, 1, 0)):
			value = format2Record(now)
		}
		return true, txn.Set(bytes.Clone(key), bytes.Clone(value)) // without a seal
	})
	if err != nil {
		t.Fatal(err)
	}
	if err := txn.CommitAt(1, nil); err != nil {
		t.Fatal(err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}

	s = newStore(t, dir)
	if s.format != oldestFormat {
		t.Fatalf("the store has format %d", s.format)
	}
	records := changesBefore(t, s, 2)
	want := []Touch{{Op: PutEntity, Ref: mina}, {Op: DeleteGrant, GrantID: "g0"}}
	if len(records) != 1 || !reflect.DeepEqual(records[0].Touches, want) {
		t.Errorf("the change records read as %+v", records)
	}
	if _, err := s.Update(t.Context(), tenant, func(tx *Tx) error { _, err := tx.DeleteEntity(mina); return err }); err != nil {
		t.Fatal(err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if s = newStore(t, dir); s.format != format {
		t.Errorf("after a commit the store has format %d", s.format)
	}
}

func changesBefore(t *testing.T, s *Store, revision uint64) []ChangeRecord {
	t.Helper()
	view, err := s.Latest(tenant)
	if err != nil {
		t.Fatal(err)
	}
	defer view.Close()
	var records []ChangeRecord
	all := Lookback{Before: revision, Work: math.MaxInt}
	if _, err := view.EachChangeBack(all, func(r ChangeRecord) bool { records = append(records, r); return true }); err != nil {
		t.Fatal(err)
	}
	return records
}

func TestChangeRecordsHaveTheirAuthors(t *testing.T) {
	s := newStore(t, "")
	grant := authz.Grant{ID: "g", Subject: mina, Role: nurse}
	if _, err := s.Update(t.Context(), tenant, func(tx *Tx) error {
		tx.By(hrSync)
		if _, err := tx.PutGrant(grant); err != nil {
			return err
		}
		_, err := tx.PutEntity(authz.Entity{Ref: mina, Parents: []authz.EntityRef{night}, Attributes: []byte(`{"a":1,"b":2}`)})
		return err
	}); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Update(t.Context(), tenant, func(tx *Tx) error {
		if _, err := tx.DeleteGrant("g"); err != nil {
			return err
		}
		_, err := tx.PutEntity(authz.Entity{Ref: mina, Attributes: []byte(`{"a":1,"b":3,"c":4}`)})
		return err
	}); err != nil {
		t.Fatal(err)
	}
	nobody := &authz.Author{}
	want := [][]Touch{
		{
			{Op: PutEntity, Ref: mina, Author: nobody, Entity: &EntityDifference{ParentsRemoved: []authz.EntityRef{night}, Attributes: []string{"b", "c"}}},
			{Op: DeleteGrant, GrantID: "g", Author: nobody, Before: &grant},
		},
		{
			{Op: PutEntity, Ref: mina, Author: &hrSync, Entity: &EntityDifference{Created: true, ParentsAdded: []authz.EntityRef{night}}},
			{Op: PutGrant, GrantID: "g", Author: &hrSync, After: &grant},
		},
	}
	var got [][]Touch
	for _, record := range changesBefore(t, s, 3) {
		got = append(got, record.Touches)
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("the records say %+v", got)
	}
	if before := changesBefore(t, s, 2); len(before) != 1 || before[0].Revision != 1 {
		t.Errorf("before revision 2 there are %+v", before)
	}
	if before := changesBefore(t, s, 1); len(before) != 0 {
		t.Errorf("before revision 1 there are %+v", before)
	}
}

// TestLongChangeRecordsReadBackwards has records of several parts.
func TestLongChangeRecordsReadBackwards(t *testing.T) {
	s := newStore(t, "")
	for revision := range 3 {
		if _, err := s.Update(t.Context(), tenant, func(tx *Tx) error {
			for i := range 5_000 {
				ref := authz.EntityRef{Type: "user", ID: fmt.Sprintf("a-person-with-a-long-name-%d", i)}
				if _, err := tx.PutEntity(authz.Entity{Ref: ref, Attributes: fmt.Appendf(nil, `{"n":%d}`, revision)}); err != nil {
					return err
				}
			}
			return nil
		}); err != nil {
			t.Fatal(err)
		}
	}
	records := changesBefore(t, s, 4)
	if len(records) != 3 {
		t.Fatalf("there are %d records", len(records))
	}
	for i, record := range records {
		if record.Revision != uint64(3-i) || len(record.Touches) != 5_000 || record.Touches[4_999].Ref.ID != "a-person-with-a-long-name-4999" {
			t.Errorf("record %d is of revision %d with %d touches", i, record.Revision, len(record.Touches))
		}
	}
}

// TestChangeRecordsOutliveTheirRevisions has a store whose audit is longer than its
// retention, and follows what is left of each.
func TestChangeRecordsOutliveTheirRevisions(t *testing.T) {
	now := time.Unix(1e9, 0)
	dir := t.TempDir()
	open := func() *Store {
		s, err := Open(Options{Dir: dir, Retention: time.Minute, Audit: time.Hour, Clock: func() time.Time { return now }, Logger: zaptest.NewLogger(t)})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { s.Close() })
		return s
	}
	s := open()
	for i := range 100 {
		now = now.Add(time.Minute)
		if _, err := s.Update(t.Context(), tenant, func(tx *Tx) error {
			_, err := tx.PutEntity(authz.Entity{Ref: mina, Attributes: fmt.Appendf(nil, `{"n":%d}`, i)})
			return err
		}); err != nil {
			t.Fatal(err)
		}
		if i%30 == 0 {
			if err := s.Close(); err != nil {
				t.Fatal(err)
			}
			s = open()
		}
	}
	if floor, latest := s.Revisions(); floor != 99 || latest != 100 {
		t.Errorf("revisions %d to %d can be read, expected 99 to 100", floor, latest)
	}
	records := changesBefore(t, s, 101)
	first, last := records[len(records)-1].Revision, records[0].Revision
	if first != 41 || last != 100 || len(records) != 60 {
		t.Errorf("%d change records are kept, of revisions %d to %d: expected those of the last hour, 41 to 100", len(records), first, last)
	}
	if err := checkLatest(t, s, t.Context()); err != nil {
		t.Error(err)
	}
}

func TestPolicyChangesAreRecorded(t *testing.T) {
	s := newStore(t, "")
	fill(t, s)
	change := authz.PolicyChange{Bundle: "workforce", Path: "/etc/policy", Before: "1", Revision: "2", Digest: "d", At: time.Unix(7, 8).UTC()}
	var before authz.PolicyChange
	if _, err := s.Update(t.Context(), tenant, func(tx *Tx) (err error) {
		before, err = tx.Policy()
		tx.RecordPolicy(hrSync, change)
		return err
	}); err != nil || before != (authz.PolicyChange{}) {
		t.Fatal(before, err)
	}
	if _, err := s.Update(t.Context(), tenant, func(tx *Tx) (err error) { before, err = tx.Policy(); return err }); err != nil || before != change {
		t.Errorf("the last change of the policy reads as %+v, %v", before, err)
	}
	records := changesBefore(t, s, 3)
	if !slices.ContainsFunc(records[0].Touches, func(touch Touch) bool {
		return touch.Op == SetPolicy && *touch.Policy == change && *touch.Author == hrSync
	}) {
		t.Errorf("the record says %+v", records[0])
	}
	if err := checkLatest(t, s, t.Context()); err != nil {
		t.Error(err)
	}
}

func TestDifference(t *testing.T) {
	entity := func(attributes string, parents ...authz.EntityRef) *authz.Entity {
		return &authz.Entity{Ref: mina, Attributes: []byte(attributes), Parents: parents}
	}
	many := make([]authz.EntityRef, 0, 2*manyParents)
	for i := range 2 * manyParents {
		many = append(many, authz.EntityRef{Type: "group", ID: fmt.Sprint(i)})
	}
	tests := []struct {
		name          string
		before, after *authz.Entity
		want          EntityDifference
	}{
		{"created", nil, entity(`{"a":1}`, night), EntityDifference{Created: true, ParentsAdded: []authz.EntityRef{night}}},
		{"deleted", entity(`{"a":1}`, night), nil, EntityDifference{ParentsRemoved: []authz.EntityRef{night}}},
		{"moved", entity("", night), entity("", nurse), EntityDifference{ParentsAdded: []authz.EntityRef{nurse}, ParentsRemoved: []authz.EntityRef{night}}},
		{"moved out of one of many", entity("", many...), entity("", many[1:]...), EntityDifference{ParentsRemoved: many[:1]}},
		{"parents in another order", entity("", night, nurse), entity("", nurse, night), EntityDifference{}},
		{"attributes", entity(`{"a":1,"b":{"c":2},"d":3,"é":1}`), entity(`{"a":1,"b":{"c":4},"e":5,"é":2}`), EntityDifference{Attributes: []string{"b", "d", "e", "é"}}},
		{"no attributes before", entity(``), entity(`{"a":1}`), EntityDifference{Attributes: []string{"a"}}},
		{"no attributes after", entity(`{"a":1}`), entity(``), EntityDifference{Attributes: []string{"a"}}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			if got := difference(test.before, test.after); !reflect.DeepEqual(*got, test.want) {
				t.Errorf("differs by %+v, expected %+v", *got, test.want)
			}
		})
	}
}

// TestWritesOfOneRevisionKeepTheirAuthors has two writes join one commit.
func TestWritesOfOneRevisionKeepTheirAuthors(t *testing.T) {
	s, g := holdCommits(t, func(string) (int64, bool) { return 1 << 40, true })
	ctx := t.Context()
	if _, err := s.Begin(ctx, tenant, nil, putting(authz.Entity{Ref: nurse})); err != nil {
		t.Fatal(err)
	}
	<-g.reached
	other := authz.Author{Address: "unix", Reason: "another"}
	var last *Write
	for by, ref := range map[authz.Author]authz.EntityRef{hrSync: mina, other: night} {
		var err error
		if last, err = s.Begin(ctx, tenant, nil, func(tx *Tx) error {
			tx.By(by)
			return putting(authz.Entity{Ref: ref})(tx)
		}); err != nil {
			t.Fatal(err)
		}
	}
	g.open <- struct{}{}
	g.pass()
	if _, err := last.Wait(ctx); err != nil {
		t.Fatal(err)
	}
	records := changesBefore(t, s, 3)
	if records[0].Revision != 2 || len(records[0].Touches) != 2 {
		t.Fatalf("the record is %+v", records[0])
	}
	for _, touch := range records[0].Touches {
		if want := map[authz.EntityRef]authz.Author{mina: hrSync, night: other}[touch.Ref]; *touch.Author != want {
			t.Errorf("%s is changed by %+v, expected %+v", touch.Ref, *touch.Author, want)
		}
	}
}
