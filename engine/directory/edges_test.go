package directory

import (
	"fmt"
	"runtime"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/verdictpdp/verdict/api/authz"
)

func TestEdgesAgreeWithAMap(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		e := newEdges()
		model := map[authz.EntityRef][]authz.EntityRef{}
		ids := rapid.StringMatching(`[a-c\x00é]{1,2}`)
		for range rapid.IntRange(0, 50).Draw(t, "steps") {
			var parents []authz.EntityRef
			for _, id := range rapid.SliceOfN(ids, 0, 3).Draw(t, "parents") {
				parents = append(parents, group(id))
			}
			ref := group(ids.Draw(t, "id"))
			e.set(ref, parents)
			model[ref] = parents
			other := group(ids.Draw(t, "other"))
			got, set := e.parentsOf(other)
			want, known := model[other]
			if diff := cmp.Diff(want, got); diff != "" || set != known {
				t.Fatalf("parents of %s, set %v (-want +got):\n%s", other, set, diff)
			}
		}
	})
}

// TestEdgesAreSmall counts what a million entities take, each with a parent of
// its own.
func TestEdgesAreSmall(t *testing.T) {
	if testing.Short() {
		t.Skip("one goroutine does it all, and for long")
	}
	const million = 1_000_000
	before := heap()
	e := newEdges()
	for i := range million {
		e.set(authz.EntityRef{Type: "user", ID: fmt.Sprint(i)}, []authz.EntityRef{{Type: "group", ID: fmt.Sprint("g", i)}})
	}
	took := heap() - before
	if most := int64(80 << 20); took > most || e.bytes() > most {
		t.Errorf("a million entities take %d bytes, counted as %d: expected at most %d", took, e.bytes(), most)
	}
	if took > e.bytes()*3/2 {
		t.Errorf("%d bytes are counted as %d", took, e.bytes())
	}
	runtime.KeepAlive(e)
}

func heap() int64 {
	runtime.GC()
	var stats runtime.MemStats
	runtime.ReadMemStats(&stats)
	return int64(stats.HeapAlloc)
}

func TestValidationsAreBounded(t *testing.T) {
	d, err := Open(Options{Tenants: []string{"workforce"}})
	if err != nil {
		t.Fatal(err)
	}
	defer d.Close()
	first := newRehearsal(t.Context(), d, "workforce", authz.Author{})
	if _, err := first.put([]parsedLine{put(1, "a", group("b")), put(2, "alone")}, true); err != nil {
		t.Fatal(err)
	}
	if len(first.edges.lists) != 1 {
		t.Errorf("%d entities are remembered: expected the one with a parent", len(first.edges.lists))
	}
	d.rehearsed.Add(maxRehearsedBytes)
	second := newRehearsal(t.Context(), d, "workforce", authz.Author{})
	im := &importer{options: ImportOptions{ValidateOnly: true}, sink: second}
	if err := im.take(put(1, "a", group("b"))); err != nil {
		t.Fatal(err)
	}
	if err := im.flush(); authz.KindOf(err) != authz.LimitExceeded || im.report.Refused > 0 {
		t.Errorf("error %v, %d refused: expected a limit and none", err, im.report.Refused)
	}
	first.end()
	second.end()
	if left := d.rehearsed.Load(); left != maxRehearsedBytes {
		t.Errorf("%d bytes are left behind", left-maxRehearsedBytes)
	}
}
