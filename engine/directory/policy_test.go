package directory_test

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/verdictpdp/verdict/api/authz"
	"github.com/verdictpdp/verdict/engine/directory"
)

// TestFirstPolicyWaitsForTheFirstWrite has a server start on a directory that was never
// written to, and again.
func TestFirstPolicyWaitsForTheFirstWrite(t *testing.T) {
	options := directory.Options{Dir: t.TempDir(), Tenants: []string{tenant, "other"}}
	first := authz.PolicyChange{Bundle: "clinic", Revision: "1", At: time.Unix(7, 0).UTC()}
	hr := authz.Author{Subject: authz.EntityRef{Type: "service", ID: "hr"}}
	record := func(d *directory.Directory, tenant string, change authz.PolicyChange) {
		t.Helper()
		if err := d.RecordPolicy(t.Context(), tenant, authz.Author{}, change); err != nil {
			t.Fatal(err)
		}
	}
	audit := func(d *directory.Directory) (changes []authz.PolicyChange) {
		t.Helper()
		if _, err := d.Audit(t.Context(), tenant, directory.AuditQuery{}, directory.AuditPlace{}, func(r directory.Recorded) bool {
			if r.Policy != nil {
				changes = append(changes, *r.Policy)
			}
			if (r.Policy != nil) == (*r.Author == hr) {
				t.Errorf("%+v is by %+v", r, r.Author)
			}
			return true
		}); err != nil {
			t.Fatal(err)
		}
		return changes
	}
	put := func(d *directory.Directory, id string) uint64 {
		t.Helper()
		revision, err := d.Write(t.Context(), tenant, authz.Batch{Author: hr, Changes: []authz.Change{{PutEntity: &authz.Entity{Ref: user(id)}}}})
		if err != nil {
			t.Fatal(err)
		}
		return revision
	}
	want := func(d *directory.Directory, latest uint64, changes ...authz.PolicyChange) {
		t.Helper()
		if _, is := d.Revisions(); is != latest {
			t.Errorf("the directory is at revision %d, expected %d", is, latest)
		}
		if diff := cmp.Diff(changes, audit(d)); diff != "" {
			t.Errorf("policy changes (-want +got):\n%s", diff)
		}
	}

	d := newDirectory(t, options)
	record(d, tenant, first)
	record(d, "other", first)
	want(d, 0)
	if _, err := d.Write(t.Context(), tenant, authz.Batch{Changes: []authz.Change{{DeleteEntity: &authz.EntityRef{Type: "user", ID: "nobody"}}}}); err != nil {
		t.Fatal(err)
	}
	want(d, 0)
	put(d, "mina")
	want(d, 1, first)
	put(d, "olga")
	want(d, 2, first)
	second := authz.PolicyChange{Bundle: "clinic", Before: "1", Revision: "2"}
	record(d, tenant, second)
	want(d, 3, second, first)
	if err := d.Close(); err != nil {
		t.Fatal(err)
	}

	d = newDirectory(t, options)
	again := second
	again.Before = ""
	record(d, tenant, again)
	want(d, 3, second, first)
	third := authz.PolicyChange{Bundle: "clinic", Revision: "3"}
	record(d, tenant, third)
	third.Before = "2"
	want(d, 4, third, second, first)
}

// TestSecondPolicyDoesNotWait has the policy of a directory that was never written to
// change.
func TestSecondPolicyDoesNotWait(t *testing.T) {
	d := newDirectory(t, directory.Options{})
	for _, revision := range []string{"1", "2"} {
		if err := d.RecordPolicy(t.Context(), tenant, authz.Author{}, authz.PolicyChange{Bundle: "clinic", Revision: revision}); err != nil {
			t.Fatal(err)
		}
	}
	var got []string
	if _, err := d.Audit(t.Context(), tenant, directory.AuditQuery{Bundle: "clinic"}, directory.AuditPlace{}, func(r directory.Recorded) bool {
		got = append(got, r.Policy.Before+" to "+r.Policy.Revision)
		return true
	}); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]string{" to 1", "1 to 2"}, got); diff != "" {
		t.Errorf("policy changes (-want +got):\n%s", diff)
	}
}
