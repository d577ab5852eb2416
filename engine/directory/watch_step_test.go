package directory

import (
	"fmt"
	"testing"

	"github.com/verdictpdp/verdict/api/authz"
)

func TestWatchersReadABoundedNumberOfChangesAtOnce(t *testing.T) {
	d, err := Open(Options{Tenants: []string{"workforce"}})
	if err != nil {
		t.Fatal(err)
	}
	defer d.Close()
	sizes := []int{watchChanges - 1, watchChanges, watchChanges, 1}
	for revision, size := range sizes {
		var batch authz.Batch
		for i := range size {
			e := authz.Entity{Ref: group(i), Attributes: fmt.Appendf(nil, `{"r":%d}`, revision)}
			batch.Changes = append(batch.Changes, authz.Change{PutEntity: &e})
		}
		if _, err := d.Write(t.Context(), "workforce", batch); err != nil {
			t.Fatal(err)
		}
	}
	w := watcher{directory: d, tenant: "workforce"}
	var got []int
	for more := true; more; {
		records, upTo, goOn, err := w.read()
		if err != nil || upTo != 4 {
			t.Fatalf("up to %d, %v", upTo, err)
		}
		got, more = append(got, len(records)), goOn
		w.after = records[len(records)-1].Revision
	}
	if want := "[2 1 1]"; fmt.Sprint(got) != want {
		t.Errorf("records read at once: %v, expected %s", got, want)
	}
}
