package directory

import (
	"bytes"
	"context"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/verdictpdp/verdict/api/authz"
	"github.com/verdictpdp/verdict/engine/store"
)

const audited = "workforce"

// An auditDay is a directory with some changes: one each hour, by turns of two authors.
func auditDay(t *testing.T) (d *Directory, start time.Time) {
	t.Helper()
	start = time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	now := start
	d, err := Open(Options{Tenants: []string{audited, "other"}, Retention: time.Hour, Audit: 1000 * time.Hour, Clock: func() time.Time { return now }})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { d.Close() })
	hr := authz.Author{Subject: authz.EntityRef{Type: "service", ID: "hr"}, Method: "token", Address: "10.0.0.7", Reason: "rota"}
	dan := authz.Author{Subject: hr.Subject, OnBehalfOf: authz.EntityRef{Type: "user", ID: "dan"}}
	for i, lines := range []string{
		`{"entity":{"type":"user","id":"mina","attributes":{"title":"nurse"},"parents":["group:night"]}}`,
		`{"grant":{"id":"g","subject":"user:mina","role":"role:nurse"}}`,
		`{"entity":{"type":"user","id":"mina","attributes":{"title":"doctor"}}}
		 {"entity":{"type":"user","id":"olga"}}`,
		`{"grant":{"id":"g","subject":"user:olga","role":"role:nurse"}}`,
		`{"delete":{"entity":"user:olga"}}`,
		`{"delete":{"entity":"user:mina"}}`,
	} {
		now = start.Add(time.Duration(i) * time.Hour)
		options := ImportOptions{Author: []authz.Author{hr, dan}[i%2]}
		if _, err := d.Import(t.Context(), audited, strings.NewReader(lines), options); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := d.Import(t.Context(), "other", strings.NewReader(`{"entity":{"type":"user","id":"mina"}}`), ImportOptions{}); err != nil {
		t.Fatal(err)
	}
	now = now.Add(time.Hour)
	for _, change := range []authz.PolicyChange{
		{Bundle: "clinic", Revision: "1", Digest: "d1"},
		{Bundle: "clinic", Revision: "1", Digest: "d1"}, // as at a restart
		{Bundle: "shop", Before: "1", Revision: "2", Digest: "d2", Refused: "does not compile"},
		{Bundle: "clinic", Revision: "3", Digest: "d3"},
	} {
		if err := d.RecordPolicy(t.Context(), audited, authz.Author{}, change); err != nil {
			t.Fatal(err)
		}
	}
	return d, start
}

// recordedText is a change on one line.
func recordedText(r Recorded) string {
	switch {
	case r.Policy != nil:
		return fmt.Sprintf("%d policy %s %s to %s %s", r.Revision, r.Policy.Bundle, r.Policy.Before, r.Policy.Revision, r.Policy.Refused)
	case r.Entity != nil:
		return fmt.Sprintf("%d %c %s +%v -%v %v", r.Revision, r.Op, r.Ref, r.Entity.ParentsAdded, r.Entity.ParentsRemoved, r.Entity.Attributes)
	}
	of := func(g *authz.Grant) string {
		if g == nil {
			return "none"
		}
		return g.Subject.String()
	}
	return fmt.Sprintf("%d %c %s of %s to %s", r.Revision, r.Op, r.GrantID, of(r.Before), of(r.After))
}

// auditAll reads all pages of so many changes, each with so much work.
func auditAll(t *testing.T, d *Directory, q AuditQuery, size, work int) (found []string, pages int) {
	t.Helper()
	var from AuditPlace
	for {
		taken := 0
		next, err := d.audit(t.Context(), audited, q, from, work, func(r Recorded) bool {
			if taken == size {
				return false
			}
			taken++
			found = append(found, recordedText(r))
			return true
		})
		if err != nil {
			t.Fatal(err)
		}
		if pages++; next == (AuditPlace{}) {
			return found, pages
		}
		if pages > 100 {
			t.Fatal("the pages come to no end")
		}
		from = next
	}
}

func TestAudit(t *testing.T) {
	d, start := auditDay(t)
	ref := func(text string) authz.EntityRef {
		ref, err := authz.ParseEntityRef(text)
		if err != nil {
			t.Fatal(err)
		}
		return ref
	}
	all := []string{
		"10 policy clinic 1 to 3 ",
		"9 policy shop 1 to 2 does not compile",
		"8 policy clinic  to 1 ",
		"6 e user:mina +[] -[] []",
		"5 e user:olga +[] -[] []",
		"5 g g of user:olga to none",
		"4 G g of user:mina to user:olga",
		"3 E user:mina +[] -[group:night] [title]",
		"3 E user:olga +[] -[] []",
		"2 G g of none to user:mina",
		"1 E user:mina +[group:night] -[] []",
	}
	only := func(places ...int) (some []string) {
		for _, at := range places {
			some = append(some, all[at])
		}
		return some
	}
	tests := []struct {
		name  string
		query AuditQuery
		want  []string
	}{
		{"everything", AuditQuery{}, all},
		{"an entity", AuditQuery{Entity: ref("user:mina")}, only(3, 7, 10)},
		{"an entity that never was", AuditQuery{Entity: ref("user:min")}, nil},
		{"a person's grants", AuditQuery{GrantsOf: ref("user:mina")}, only(6, 9)},
		{"the grants of who is gone", AuditQuery{GrantsOf: ref("user:olga")}, only(5, 6)},
		{"a caller", AuditQuery{Author: ref("service:hr")}, all[3:]},
		{"a person for whom one wrote", AuditQuery{Author: ref("user:dan")}, only(3, 6, 9)},
		{"a caller's changes of an entity", AuditQuery{Author: ref("user:dan"), Entity: ref("user:mina")}, only(3)},
		{"a bundle", AuditQuery{Bundle: "clinic"}, only(0, 2)},
		{"policies", AuditQuery{PolicyOnly: true}, all[:3]},
		{"since", AuditQuery{Since: start.Add(5 * time.Hour)}, all[:4]},
		{"until", AuditQuery{Until: start.Add(2 * time.Hour)}, all[9:]},
		{"between", AuditQuery{Since: start.Add(time.Hour), Until: start.Add(3 * time.Hour)}, only(7, 8, 9)},
		{"before everything", AuditQuery{Until: start}, nil},
		{"since the future", AuditQuery{Since: start.Add(1000 * time.Hour)}, nil},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			for _, size := range []int{1, 2, 100} {
				for _, work := range []int{1, 1500, 1 << 20} {
					got, pages := auditAll(t, d, test.query, size, work)
					if diff := cmp.Diff(test.want, got); diff != "" {
						t.Errorf("pages of %d with work %d (-want +got):\n%s", size, work, diff)
					}
					if size == 100 && work == 1<<20 && pages != 1 {
						t.Errorf("all are on %d pages", pages)
					}
				}
			}
		})
	}
	if oldest, _ := d.Revisions(); oldest < 5 {
		t.Errorf("revision %d can still be read: the test looks at none that has gone", oldest)
	}
}

func TestAuditOfAnUnknownTenant(t *testing.T) {
	d, _ := auditDay(t)
	take := func(Recorded) bool { return true }
	if _, err := d.Audit(t.Context(), "red", AuditQuery{}, AuditPlace{}, take); authz.KindOf(err) != authz.NotFound {
		t.Errorf("an unknown tenant: %v", err)
	}
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := d.Audit(ended, audited, AuditQuery{}, AuditPlace{}, take); authz.KindOf(err) != authz.Canceled {
		t.Errorf("a context that has ended: %v", err)
	}
	if err := d.RecordPolicy(t.Context(), "red", authz.Author{}, authz.PolicyChange{}); authz.KindOf(err) != authz.NotFound {
		t.Errorf("the policy of an unknown tenant: %v", err)
	}
}

func TestLongTextsOfPoliciesAreCut(t *testing.T) {
	d, _ := auditDay(t)
	long := authz.PolicyChange{Bundle: "clinic", Refused: strings.Repeat("é", maxPolicyText) + "\xff"}
	for range 2 { // the second is the same, cut or not
		if err := d.RecordPolicy(t.Context(), audited, authz.Author{}, long); err != nil {
			t.Fatal(err)
		}
	}
	var refused []string
	if _, err := d.Audit(t.Context(), audited, AuditQuery{PolicyOnly: true}, AuditPlace{}, func(r Recorded) bool {
		refused = append(refused, r.Policy.Refused)
		return true
	}); err != nil {
		t.Fatal(err)
	}
	if len(refused) != 4 || len(refused[0]) > maxPolicyText+len("…") || !strings.HasSuffix(refused[0], "é…") {
		t.Errorf("%d changes, the last of %d bytes", len(refused), len(refused[0]))
	}
}

func TestWatchPassesOverPolicies(t *testing.T) {
	d, _ := auditDay(t)
	oldest, latest := d.Revisions()
	ended := fmt.Errorf("enough")
	done := make(chan error, 1)
	var revisions []uint64
	go func() {
		done <- d.Watch(t.Context(), audited, oldest, func(r ChangeRecord) error {
			revisions = append(revisions, r.Revision)
			return ended
		})
	}()
	if _, err := d.Import(t.Context(), audited, strings.NewReader(`{"entity":{"type":"user","id":"ida"}}`), ImportOptions{}); err != nil {
		t.Fatal(err)
	}
	if err := <-done; err != ended || !slices.Equal(revisions, []uint64{latest + 1}) {
		t.Errorf("the watch tells of revisions %d: %v", revisions, err)
	}
}

// BenchmarkAudit asks who changed one entity, and for the policy's changes, in a
// directory of a million changes: of batches of 1,000, and each by itself.
func BenchmarkAudit(b *testing.B) {
	const changes = 1_000_000
	for _, size := range []int{1_000, 1} {
		d, err := Open(Options{Dir: b.TempDir(), Tenants: []string{audited}, Retention: time.Hour})
		if err != nil {
			b.Fatal(err)
		}
		if err := fillHistory(b.Context(), d, changes, size); err != nil {
			b.Fatal(err)
		}
		for name, q := range map[string]AuditQuery{
			"entity":  {Entity: authz.EntityRef{Type: "user", ID: "person-7"}},
			"grants":  {GrantsOf: authz.EntityRef{Type: "user", ID: "person-7"}},
			"policy":  {PolicyOnly: true},
			"nothing": {Bundle: "none"},
		} {
			b.Run(fmt.Sprintf("writes of %d/%s", size, name), func(b *testing.B) {
				pages := 0
				for b.Loop() {
					var from AuditPlace
					for {
						if from, err = d.Audit(b.Context(), audited, q, from, func(Recorded) bool { return true }); err != nil {
							b.Fatal(err)
						}
						if pages++; from == (AuditPlace{}) {
							break
						}
					}
				}
				b.ReportMetric(float64(pages)/float64(b.N), "pages/op")
				b.ReportMetric(float64(b.Elapsed().Milliseconds())/float64(pages), "ms/page")
			})
		}
		if err := d.Close(); err != nil {
			b.Fatal(err)
		}
	}
}

// fillHistory makes changes of grants and entities, by turns, in writes of a size.
func fillHistory(ctx context.Context, d *Directory, changes, size int) error {
	author := authz.Author{Subject: authz.EntityRef{Type: "service", ID: "hr"}, Method: "mtls", Address: "10.0.0.7"}
	var last *store.Write
	for i := 0; i < changes; i += size {
		write, err := d.store.Begin(ctx, audited, nil, func(tx *store.Tx) error {
			tx.By(author)
			for n := i; n < i+size; n++ {
				person := authz.EntityRef{Type: "user", ID: fmt.Sprintf("person-%d", n)}
				var err error
				if n%2 == 0 {
					_, err = tx.PutEntity(authz.Entity{Ref: person, Parents: []authz.EntityRef{{Type: "group", ID: "all"}}})
				} else {
					_, err = tx.PutGrant(authz.Grant{ID: fmt.Sprintf("grant-%d", n), Subject: person, Role: authz.EntityRef{Type: "role", ID: "reader"}})
				}
				if err != nil {
					return err
				}
			}
			return nil
		})
		if err != nil {
			return err
		}
		last = write
	}
	_, err := last.Wait(ctx)
	return err
}

// TestBackupsHaveTheAudit restores a directory most of whose revisions can no longer be
// read.
func TestBackupsHaveTheAudit(t *testing.T) {
	d, start := auditDay(t)
	want, _ := auditAll(t, d, AuditQuery{}, 100, 1<<20)
	var backup bytes.Buffer
	if _, err := d.Backup(t.Context(), BackupOptions{}, &backup); err != nil {
		t.Fatal(err)
	}
	reader, err := NewBackupReader(&backup)
	if err != nil {
		t.Fatal(err)
	}
	dir := filepath.Join(t.TempDir(), "restored")
	if _, err := Restore(t.Context(), dir, []*BackupReader{reader}, nil); err != nil {
		t.Fatal(err)
	}
	restored, err := Open(Options{Dir: dir, Tenants: []string{audited}, Retention: time.Hour, Audit: 1000 * time.Hour, Clock: func() time.Time { return start.Add(8 * time.Hour) }})
	if err != nil {
		t.Fatal(err)
	}
	defer restored.Close()
	if _, err := restored.Import(t.Context(), audited, strings.NewReader(`{"entity":{"type":"user","id":"ida"}}`), ImportOptions{}); err != nil {
		t.Fatal(err)
	}
	got, _ := auditAll(t, restored, AuditQuery{}, 100, 1<<20)
	if diff := cmp.Diff(want, got[1:]); diff != "" {
		t.Errorf("what is restored (-want +got):\n%s", diff)
	}
}
