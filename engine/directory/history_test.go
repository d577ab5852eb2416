package directory_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"
	"sort"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"pgregory.net/rapid"

	"github.com/verdictpdp/verdict/api/authz"
	"github.com/verdictpdp/verdict/engine/directory"
)

// A history is a directory and the models of its tenants, step by step.
type history struct {
	dir     string
	d       *directory.Directory
	models  map[string]*model
	changed map[string]map[uint64][]authz.EntityRef // what OnCommit told

	clock     *clock
	retention time.Duration
	auditing  time.Duration // how long it is kept who changed what, or not longer than the retention
	times     []time.Time   // of the revisions; the zero time of none
	// keepsLonger is whether the directory was opened long after its last commit, when
	// it is not known whether the clock is right: then history may be kept for longer.
	keepsLonger bool

	scratch string
	chain   [][]byte // backups: a full one, and those that go on from it
}

var tenants = []string{"customers", "workforce"}

// believed is how long a directory may have been closed by the clock alone.
const believed = time.Hour

func (h *history) open(t *rapid.T) {
	if last := h.times[len(h.times)-1]; !last.IsZero() && h.clock.Now().Sub(last) > believed {
		h.keepsLonger = true
	}
	d, err := directory.Open(directory.Options{Dir: h.dir, Tenants: tenants, Retention: h.retention, Audit: h.auditing, Clock: h.clock.Now, OnCommit: func(tenant string, revision uint64, changed []authz.EntityRef) {
		h.changed[tenant][revision] = changed
	}})
	if err != nil {
		t.Fatal(err)
	}
	h.d = d
}

// TestHistory writes random batches into two tenants, and compares what can be
// read with the models after every step.
func TestHistory(t *testing.T) {
	scratch := t.TempDir()
	runs := 0
	rapid.Check(t, func(t *rapid.T) {
		runs++
		h := &history{
			models: map[string]*model{}, changed: map[string]map[uint64][]authz.EntityRef{},
			clock: newClock(), times: []time.Time{{}}, scratch: scratch,
			retention: rapid.SampledFrom([]time.Duration{time.Minute, time.Hour, 24 * time.Hour}).Draw(t, "retention"),
			auditing:  rapid.SampledFrom([]time.Duration{0, 10_000 * time.Hour}).Draw(t, "auditing"),
		}
		if rapid.IntRange(0, 9).Draw(t, "on disk from 8") >= 8 {
			h.dir = fmt.Sprintf("%s/%d", scratch, runs)
		}
		for _, tenant := range tenants {
			h.models[tenant] = newModel(tenant)
			h.changed[tenant] = map[uint64][]authz.EntityRef{}
		}
		h.open(t)
		defer func() { h.d.Close() }()
		t.Repeat(map[string]func(*rapid.T){
			"write":     func(t *rapid.T) { h.write(t, 1) },
			"write two": func(t *rapid.T) { h.write(t, 2) },
			"policy":    h.recordPolicy,
			"wait":      h.wait,
			"reopen":    h.reopen,
			"past":      h.readPast,
			"back up":   h.backUp,
			"restore":   h.restore,
			"sound":     h.sound,
			"":          h.check,
		})
		h.sound(t)
		for _, tenant := range tenants {
			h.watch(t, tenant)
			h.audit(t, tenant)
		}
	})
}

func (h *history) reopen(t *rapid.T) {
	if h.dir == "" {
		return
	}
	if err := h.d.Close(); err != nil {
		t.Fatal(err)
	}
	h.open(t)
}

func (h *history) wait(t *rapid.T) {
	h.clock.advance(time.Duration(rapid.IntRange(1, 90).Draw(t, "minutes")) * time.Minute)
}

// recordPolicy has a tenant's policy become another one, or the same again, or be
// refused. The first of a directory that was never written to waits for a write: see
// TestFirstPolicyWaitsForTheFirstWrite.
func (h *history) recordPolicy(t *rapid.T) {
	_, latest := h.d.Revisions()
	if latest == 0 {
		return
	}
	tenant, by := rapid.SampledFrom(tenants).Draw(t, "tenant"), rapid.SampledFrom(authors).Draw(t, "author")
	change := authz.PolicyChange{Bundle: "b", Revision: rapid.SampledFrom([]string{"1", "2"}).Draw(t, "policy"), Refused: rapid.SampledFrom([]string{"", "no\n"}).Draw(t, "refused")}
	if err := h.d.RecordPolicy(t.Context(), tenant, by, change); err != nil {
		t.Fatal(err)
	}
	if h.models[tenant].recordPolicy(latest+1, by, change) {
		h.times = append(h.times, h.clock.Now())
	}
}

// audit compares who changed what with the model, as far back as it has to be kept.
func (h *history) audit(t *rapid.T, tenant string) {
	from := h.oldest()
	if h.auditing > h.retention {
		from = 0
	}
	if diff := h.auditDiff(t, *h.models[tenant], from); diff != "" {
		t.Fatalf("who changed what in %s (-want +got):\n%s", tenant, diff)
	}
}

// auditDiff is how the records of the revisions after one differ from the model's.
func (h *history) auditDiff(t *rapid.T, m model, from uint64) string {
	wanted := slices.DeleteFunc(slices.Clone(m.recorded), func(c modelChange) bool { return c.revision <= from })
	var got []modelChange
	_, err := h.d.Audit(t.Context(), m.tenant, directory.AuditQuery{}, directory.AuditPlace{}, func(r directory.Recorded) bool {
		if r.Revision <= from {
			return true
		}
		change := modelChange{r.Revision, *r.Author, ""}
		switch {
		case r.Policy != nil:
			change.what = fmt.Sprintf("policy %+v", *r.Policy)
		case r.GrantID == "" && r.Deleted():
			change.what = fmt.Sprintf("deleted %q", r.Ref)
		case r.GrantID == "":
			change.what = fmt.Sprintf("put %q", r.Ref)
		case r.After == nil:
			change.what = fmt.Sprintf("took %q: %v", r.GrantID, *r.Before)
		default:
			var before authz.Grant
			if r.Before != nil {
				before = *r.Before
			}
			if before == *r.After { // what it names was deleted, and is there again
				return true
			}
			change.what = fmt.Sprintf("gave %q: %v, before %v", r.GrantID, *r.After, before)
		}
		got = append(got, change)
		return true
	})
	if err != nil {
		t.Fatal(err)
	}
	// Those of one revision may be of several writes.
	order := func(a, b modelChange) int {
		return cmpString(fmt.Sprintf("%09d %v", a.revision, a), fmt.Sprintf("%09d %v", b.revision, b))
	}
	slices.SortFunc(wanted, order)
	slices.SortFunc(got, order)
	return cmp.Diff(wanted, got, cmp.AllowUnexported(modelChange{}), cmpopts.EquateEmpty())
}

// An attempt is a batch, and what became of it.
type attempt struct {
	tenant   string
	batch    authz.Batch
	revision uint64
	err      error
}

// write writes batches at once.
func (h *history) write(t *rapid.T, count int) {
	attempts := make([]attempt, count)
	for i := range attempts {
		a := &attempts[i]
		a.tenant = rapid.SampledFrom(tenants).Draw(t, "tenant")
		a.batch = batches(a.tenant).Draw(t, "batch")
		a.batch.Author = rapid.SampledFrom(authors).Draw(t, "author")
		for i := range a.batch.Preconditions {
			if rapid.Bool().Draw(t, "met") {
				p := &a.batch.Preconditions[i]
				p.Revision = h.models[a.tenant].latest().entities[p.Ref].revision
			}
		}
	}
	_, latest := h.d.Revisions()
	var wait sync.WaitGroup
	for i := range attempts {
		a := &attempts[i]
		wait.Go(func() { a.revision, a.err = h.d.Write(t.Context(), a.tenant, a.batch) })
	}
	wait.Wait()
	// Batches that share a revision may be explained in either order by what
	// they were answered; what is there afterwards, and by whom, tells which it was.
	explained := h.explain(t, attempts, latest)
	if !explained {
		slices.Reverse(attempts)
		explained = h.explain(t, attempts, latest)
	}
	if !explained {
		t.Fatalf("after revision %d no order explains what became of %+v", latest, attempts)
	}
	for tenant, m := range h.models {
		for _, s := range m.history {
			if s.revision > latest && len(h.changed[tenant][s.revision]) == 0 {
				t.Fatalf("nobody was told of revision %d of %s", s.revision, tenant)
			}
		}
	}
}

// explain makes attempts one after the other, and reports whether what became
// of each, and of the directory, is what should: if so the models follow. A
// batch takes the revision after the one before it, or shares that; one that
// changes nothing gets any that there was meanwhile.
func (h *history) explain(t *rapid.T, attempts []attempt, latest uint64) bool {
	after := make(map[string]model)
	for tenant, m := range h.models {
		after[tenant] = model{tenant: tenant, history: slices.Clone(m.history), recorded: slices.Clone(m.recorded), policy: m.policy}
	}
	revision := latest
	for _, a := range attempts {
		m := after[a.tenant]
		next, changed, accepted := m.after(a.batch, a.revision)
		switch {
		case !accepted:
			if authz.KindOf(a.err) != authz.FailedPrecondition {
				return false
			}
			continue
		case a.err != nil || a.revision < latest:
			return false
		case !changed:
			if a.revision > revision {
				return false
			}
			continue
		case a.revision == latest || a.revision > revision+1:
			return false
		}
		revision = a.revision
		for _, what := range m.latest().changesTo(next) {
			m.recorded = append(m.recorded, modelChange{revision, a.batch.Author, what})
		}
		if m.latest().revision == revision { // which it shares
			m.history = m.history[:len(m.history)-1]
		}
		m.history = append(m.history, next)
		after[a.tenant] = m
	}
	for tenant, m := range after {
		if !h.holds(t, tenant, m.latest()) || h.auditDiff(t, m, latest) != "" {
			return false
		}
	}
	for tenant, m := range after {
		*h.models[tenant] = m
	}
	for uint64(len(h.times)) <= revision {
		h.times = append(h.times, h.clock.Now())
	}
	return true
}

// holds reports whether the latest records of a tenant are those of a state.
func (h *history) holds(t *rapid.T, tenant string, want state) bool {
	s, err := h.d.Snapshot(t.Context(), tenant, authz.Consistency{})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	for _, ref := range refs {
		e, known, err := s.Entity(ref)
		if err != nil {
			t.Fatal(err)
		}
		wanted, there := want.entities[ref]
		if known != there || string(e.Attributes) != wanted.attributes || !slices.Equal(e.Parents, wanted.parents) {
			return false
		}
	}
	for _, id := range grantIDs {
		g, known, err := s.Grant(id)
		if err != nil {
			t.Fatal(err)
		}
		wanted, there := want.grants[id]
		if known != there || !cmp.Equal(g, wanted) {
			return false
		}
	}
	return true
}

// oldest is the oldest revision that is to be kept: the last that was outside
// of the window when the latest was committed.
func (h *history) oldest() uint64 {
	before := h.times[len(h.times)-1].Add(-h.retention)
	return uint64(max(0, sort.Search(len(h.times), func(i int) bool { return h.times[i].After(before) })-1))
}

// check compares the latest revision with the models.
func (h *history) check(t *rapid.T) {
	oldest, latest := h.d.Revisions()
	keeps := oldest == h.oldest() || h.keepsLonger && oldest < h.oldest()
	if wanted := uint64(len(h.times) - 1); !keeps || latest != wanted {
		t.Fatalf("revisions %d to %d are kept, expected %d to %d", oldest, latest, h.oldest(), wanted)
	}
	for _, tenant := range tenants {
		s, err := h.d.Snapshot(t.Context(), tenant, authz.Consistency{})
		if err != nil {
			t.Fatal(err)
		}
		compare(t, s, h.models[tenant].latest())
		s.Close()
	}
}

// sound checks what is derived against what it is derived from.
func (h *history) sound(t *rapid.T) {
	for _, tenant := range tenants {
		report, err := h.d.Check(t.Context(), tenant, directory.CheckOptions{Deep: true})
		if err != nil || len(report.Damage) > 0 {
			t.Fatalf("check of %s: %v, %v", tenant, report.Damage, err)
		}
	}
}

func (h *history) readPast(t *rapid.T) {
	oldest, latest := h.d.Revisions()
	if latest == 0 {
		return
	}
	revision := rapid.Uint64Range(1, latest).Draw(t, "revision")
	for _, tenant := range tenants {
		s, err := h.d.Snapshot(t.Context(), tenant, authz.Consistency{Exact: revision})
		if revision < oldest {
			if authz.KindOf(err) != authz.FailedPrecondition {
				t.Fatalf("revision %d before %d is read: %v", revision, oldest, err)
			}
			continue
		}
		if err != nil {
			t.Fatal(err)
		}
		compare(t, s, h.models[tenant].at(revision))
		s.Close()
	}
}

// watch replays the changes that are kept into another directory, and compares
// each step.
func (h *history) watch(t *rapid.T, tenant string) {
	m := h.models[tenant]
	replica, err := directory.Open(directory.Options{Tenants: []string{tenant}})
	if err != nil {
		t.Fatal(err)
	}
	defer replica.Close()
	oldest, _ := h.d.Revisions()
	if oldest > 0 {
		err := h.d.Watch(t.Context(), tenant, oldest-1, func(directory.ChangeRecord) error { return nil })
		if authz.KindOf(err) != authz.FailedPrecondition {
			t.Fatalf("watching from before %d: %v", oldest, err)
		}
		var text bytes.Buffer
		if _, err := h.d.Export(t.Context(), tenant, authz.Consistency{Exact: oldest}, &text); err != nil {
			t.Fatal(err)
		}
		if _, err := replica.Import(t.Context(), tenant, &text, directory.ImportOptions{}); err != nil {
			t.Fatal(err)
		}
	}
	wanted := slices.DeleteFunc(slices.Clone(m.history), func(s state) bool { return s.revision <= oldest })
	if len(wanted) == 0 {
		return
	}
	done := errors.New("done")
	seen := 0
	err = h.d.Watch(t.Context(), tenant, oldest, func(r directory.ChangeRecord) error {
		if r.Revision != wanted[seen].revision {
			return fmt.Errorf("watched revision %d, expected %d", r.Revision, wanted[seen].revision)
		}
		if !r.Time.Equal(h.times[r.Revision]) {
			return fmt.Errorf("watched revision %d of %s, expected %s", r.Revision, r.Time, h.times[r.Revision])
		}
		if _, err := replica.Write(context.Background(), tenant, authz.Batch{Changes: r.Changes}); err != nil {
			return err
		}
		s, err := replica.Snapshot(context.Background(), tenant, authz.Consistency{})
		if err != nil {
			return err
		}
		defer s.Close()
		compareContent(t, s, wanted[seen])
		if seen++; seen == len(wanted) {
			return done
		}
		return nil
	})
	if !errors.Is(err, done) {
		t.Fatal(err)
	}
}

// compare compares all that can be read of a snapshot with a state.
func compare(t *rapid.T, s *directory.Snapshot, want state) {
	for _, ref := range refs {
		record, err := s.Record(ref)
		e, there := want.entities[ref]
		if there != (err == nil) || !there && authz.KindOf(err) != authz.NotFound {
			t.Fatalf("at %d: record %s: %v, expected it: %v", s.Revision(), ref, err, there)
		}
		if record.Revision != e.revision {
			t.Fatalf("at %d: %s is of revision %d, expected %d", s.Revision(), ref, record.Revision, e.revision)
		}
	}
	compareContent(t, s, want)
}

func compareContent(t *rapid.T, s *directory.Snapshot, want state) {
	var types []string
	if err := s.EachType(func(typ string) bool { types = append(types, typ); return true }); err != nil {
		t.Fatal(err)
	}
	for _, typ := range []string{"group", "role", "user"} {
		ids := want.ids(typ)
		if slices.Contains(types, typ) != (len(ids) > 0) {
			t.Fatalf("types %v, and of %s there are %q", types, typ, ids)
		}
		var got []string
		for after := ""; ; { // in pages of two
			page, err := s.Entities(typ, after, 2)
			if err != nil {
				t.Fatal(err)
			}
			for _, r := range page {
				e := want.entities[r.Ref]
				if string(r.Attributes) != e.attributes || !slices.Equal(r.Parents, e.parents) {
					t.Fatalf("%s is %s %v, expected %s %v", r.Ref, r.Attributes, r.Parents, e.attributes, e.parents)
				}
				got = append(got, r.Ref.ID)
			}
			if len(page) < 2 {
				break
			}
			after = page[1].Ref.ID
		}
		if !slices.Equal(got, ids) {
			t.Fatalf("entities of %s are %q, expected %q", typ, got, ids)
		}
	}
	root := authz.Root(s.Tenant())
	scopeOf := func(g authz.Grant) authz.EntityRef {
		if g.Scope.IsZero() {
			return root
		}
		return g.Scope
	}
	for _, ref := range append(refs[:len(refs):len(refs)], root) {
		own, err := s.GrantsOf(ref)
		if err != nil {
			t.Fatal(err)
		}
		sameGrants(t, "own grants of "+ref.String(), own, want.grantsWith(func(g authz.Grant) bool { return g.Subject == ref }))
		byRole, err := s.Grants(directory.GrantQuery{Role: ref}, "", 100)
		if err != nil {
			t.Fatal(err)
		}
		sameGrants(t, "grants of "+ref.String(), byRole, want.grantsWith(func(g authz.Grant) bool { return g.Role == ref }))
		byBoth, err := s.Grants(directory.GrantQuery{Scope: ref, Subject: refs[0]}, "", 100)
		if err != nil {
			t.Fatal(err)
		}
		sameGrants(t, "grants on "+ref.String(), byBoth, want.grantsWith(func(g authz.Grant) bool { return scopeOf(g) == ref && g.Subject == refs[0] }))
	}
	expiring, err := s.Expiring(times[1], times[2], 100)
	if err != nil {
		t.Fatal(err)
	}
	slices.SortFunc(expiring, func(a, b authz.Grant) int { return cmpString(a.ID, b.ID) })
	sameGrants(t, "expiring grants", expiring, want.grantsWith(func(g authz.Grant) bool {
		return !g.NotAfter.Before(times[1]) && g.NotAfter.Before(times[2])
	}))
}

func cmpString(a, b string) int {
	switch {
	case a < b:
		return -1
	case a > b:
		return 1
	}
	return 0
}

func sameGrants(t *rapid.T, what string, got, want []authz.Grant) {
	if diff := cmp.Diff(want, got, cmpopts.EquateEmpty()); diff != "" {
		t.Fatalf("%s (-want +got):\n%s", what, diff)
	}
}

var (
	refs = []authz.EntityRef{
		{Type: "group", ID: "a"}, {Type: "group", ID: "a\x00"}, {Type: "group", ID: "a\x00\x01"}, {Type: "group", ID: "a:b"},
		{Type: "user", ID: "é"}, {Type: "user", ID: "\x00"}, {Type: "user", ID: "\n\"\\: "},
		{Type: "role", ID: "r"}, {Type: "role", ID: "s"},
	}
	authors = []authz.Author{
		{}, {Subject: authz.EntityRef{Type: "service", ID: "hr"}, Method: "token", Address: "10.0.0.7", Reason: "\x1b[2J\n\x00"},
		{Address: "unix", OnBehalfOf: authz.EntityRef{Type: "user", ID: "é"}},
	}
	grantIDs = []string{"1", "1\x00", "\u2028\n\"{"}
	times    = []time.Time{
		time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC), time.Date(2026, 2, 1, 0, 0, 0, 1, time.UTC), time.Date(2026, 3, 1, 0, 0, 0, 0, time.UTC),
	}
)

func batches(tenant string) *rapid.Generator[authz.Batch] {
	return rapid.Custom(func(t *rapid.T) authz.Batch {
		batch := authz.Batch{Changes: rapid.SliceOfN(changes(tenant), 1, 6).Draw(t, "changes")}
		if rapid.IntRange(0, 3).Draw(t, "preconditions from 3") == 3 {
			batch.Preconditions = append(batch.Preconditions, authz.Precondition{
				Ref: rapid.SampledFrom(refs).Draw(t, "ref"), Revision: rapid.Uint64Range(0, 5).Draw(t, "revision"),
			})
		}
		return batch
	})
}

func changes(tenant string) *rapid.Generator[authz.Change] {
	return rapid.Custom(func(t *rapid.T) authz.Change {
		switch rapid.IntRange(0, 9).Draw(t, "kind") {
		case 0:
			ref := rapid.SampledFrom(refs).Draw(t, "deleted")
			return authz.Change{DeleteEntity: &ref}
		case 1:
			id := rapid.SampledFrom(grantIDs).Draw(t, "deleted grant")
			return authz.Change{DeleteGrant: &id}
		case 2, 3, 4:
			g := authz.Grant{
				ID:      rapid.SampledFrom(grantIDs).Draw(t, "grant"),
				Subject: rapid.SampledFrom(append(refs[:3:3], authz.Root(tenant))).Draw(t, "subject"),
				Role:    rapid.SampledFrom(refs[7:]).Draw(t, "role"),
				Scope:   rapid.SampledFrom(append(refs[:2:2], authz.EntityRef{})).Draw(t, "scope"),
				Reason:  rapid.SampledFrom([]string{"", "because"}).Draw(t, "reason"),
			}
			if rapid.Bool().Draw(t, "ends") {
				g.NotAfter = rapid.SampledFrom(times).Draw(t, "not after")
			}
			return authz.Change{PutGrant: &g}
		}
		e := authz.Entity{Ref: rapid.SampledFrom(refs).Draw(t, "put")}
		if text := rapid.SampledFrom([]string{"", `{"n":1}`, `{"n":1.0}`, `{"n":"user:a"}`, `{"n":["user:a","user:b"]}`, `{"m":{"x":"user:b"},"n":"user:b"}`}).Draw(t, "attributes"); text != "" {
			e.Attributes = []byte(text)
		}
		others := slices.DeleteFunc(slices.Clone(refs), func(r authz.EntityRef) bool { return r == e.Ref })
		if parents := rapid.SliceOfNDistinct(rapid.SampledFrom(others), 0, 2, rapid.ID).Draw(t, "parents"); len(parents) > 0 {
			e.Parents = parents
		}
		return authz.Change{PutEntity: &e}
	})
}
