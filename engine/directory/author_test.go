package directory_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/verdictpdp/verdict/api/authz"
	"github.com/verdictpdp/verdict/engine/directory"
)

func TestWatchTellsWhoWrote(t *testing.T) {
	d := newDirectory(t, directory.Options{})
	hr := authz.Author{Subject: authz.EntityRef{Type: "service", ID: "hr"}, Method: "token", Address: "10.0.0.7", Reason: "rota"}
	dan := authz.Author{Address: "unix", OnBehalfOf: user("dan")}
	if _, err := d.Write(t.Context(), tenant, authz.Batch{Author: hr, Changes: []authz.Change{{PutEntity: &authz.Entity{Ref: user("mina")}}}}); err != nil {
		t.Fatal(err)
	}
	lines := `{"grant":{"id":"g","subject":"user:mina","role":"role:r"}}` + "\n" + `{"delete":{"entity":"user:mina"}}`
	if _, err := d.Import(t.Context(), tenant, strings.NewReader(lines), directory.ImportOptions{Author: dan}); err != nil {
		t.Fatal(err)
	}
	write(t, d, `{"entity":{"type":"user","id":"mina"}}`)
	var got []authz.Author
	err := d.Watch(t.Context(), tenant, 0, func(r directory.ChangeRecord) error {
		for i := range r.Changes {
			got = append(got, *r.Author(i))
		}
		if r.Revision == 3 {
			return errEnough
		}
		return nil
	})
	if !errors.Is(err, errEnough) {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]authz.Author{hr, dan, {}}, got); diff != "" {
		t.Errorf("authors (-want +got):\n%s", diff)
	}
}

func TestRefusedAuthors(t *testing.T) {
	d := newDirectory(t, directory.Options{})
	tooLong := authz.Author{Reason: strings.Repeat("x", authz.MaxReasonBytes+1)}
	_, err := d.Write(t.Context(), tenant, authz.Batch{Author: tooLong, Changes: []authz.Change{{PutEntity: &authz.Entity{Ref: user("mina")}}}})
	wantKind(t, err, authz.Invalid, "reason: has 1025 bytes")
	_, err = importText(t, d, "", directory.ImportOptions{Author: tooLong})
	wantKind(t, err, authz.Invalid, "reason: has 1025 bytes")
	_, err = directory.Open(directory.Options{Tenants: []string{tenant}, Audit: -1})
	wantKind(t, err, authz.Invalid, "negative")
}
