package directory_test

import (
	"testing"

	"github.com/verdictpdp/verdict/api/authz"
	"github.com/verdictpdp/verdict/engine/directory"
)

func TestSmoke(t *testing.T) {
	for _, dir := range []string{"", t.TempDir()} {
		d, err := directory.Open(directory.Options{Dir: dir, Tenants: []string{"default"}})
		if err != nil {
			t.Fatal(err)
		}
		ref := authz.EntityRef{Type: "user", ID: "mina"}
		rev, err := d.Write(t.Context(), "default", authz.Batch{Changes: []authz.Change{{PutEntity: &authz.Entity{Ref: ref, Attributes: []byte(`{"b": 1.0, "a":[ ]}`), Parents: []authz.EntityRef{{Type: "group", ID: "g"}}}}}})
		if err != nil || rev != 1 {
			t.Fatal(rev, err)
		}
		rev, err = d.Write(t.Context(), "default", authz.Batch{Changes: []authz.Change{{PutEntity: &authz.Entity{Ref: authz.EntityRef{Type: "group", ID: "g"}, Parents: []authz.EntityRef{ref}}}}})
		t.Log(rev, err)
		if err == nil {
			t.Fatal()
		}
		s, err := d.Snapshot(t.Context(), "default", authz.Consistency{})
		if err != nil {
			t.Fatal(err)
		}
		r, err := s.Record(ref)
		t.Logf("%s %v %v %d", r.Attributes, r.Parents, err, s.Epoch())
		s.Close()
		if err := d.Close(); err != nil {
			t.Fatal(err)
		}
	}
}
