package directory

import (
	"context"
	"errors"
	"fmt"
	"math"
	"testing"

	"pgregory.net/rapid"

	"github.com/verdictpdp/verdict/api/authz"
	"github.com/verdictpdp/verdict/engine/hierarchy"
)

func group(id any) authz.EntityRef { return authz.EntityRef{Type: "group", ID: fmt.Sprint(id)} }

// put is a line that puts a group under others.
func put(number int, id any, parents ...authz.EntityRef) parsedLine {
	return parsedLine{number: number, change: authz.Change{PutEntity: &authz.Entity{Ref: group(id), Parents: parents}}}
}

func noParents(authz.EntityRef) ([]authz.EntityRef, error) { return nil, nil }

// A countingContext ends when it has been looked at so many times.
type countingContext struct {
	context.Context
	looks, most int
}

func (c *countingContext) Err() error {
	if c.looks++; c.looks > c.most {
		return context.Canceled
	}
	return nil
}

// TestLinesAtFaultAreFoundInOneWalk has a long chain that many lines close, at
// its far end and at its near one.
func TestLinesAtFaultAreFoundInOneWalk(t *testing.T) {
	if testing.Short() {
		t.Skip("one goroutine does it all, and for long")
	}
	const long, closing = 5_000, 900
	var batch []parsedLine
	for i := range long - 1 {
		batch = append(batch, put(i+1, i, group(i+1)))
	}
	var tops []authz.EntityRef
	for i := range closing {
		tops = append(tops, group(fmt.Sprint("top", i)))
	}
	batch = append(batch, put(long, long-1, tops...))
	for i := range closing {
		batch = append(batch, put(long+1+i, fmt.Sprint("top", i), group(0)))
	}
	ctx := &countingContext{Context: t.Context(), most: math.MaxInt}
	atFault, err := linesAtFault(ctx, batch, noParents)
	if err != nil || len(atFault) != closing || atFault[long+1] == "" {
		t.Errorf("%d lines at fault, %v: expected the last %d", len(atFault), err, closing)
	}
	steps := (ctx.looks - len(batch) - closing) * 256 // one look comes with each line and each cycle
	if steps > 4*len(batch) {
		t.Errorf("finding the lines at fault among %d took about %d steps", len(batch), steps)
	}
	given := &countingContext{Context: t.Context(), most: 3}
	if _, err := linesAtFault(given, batch, noParents); !errors.Is(err, context.Canceled) {
		t.Errorf("a context that ended: %v", err)
	}
}

// TestWithoutTheLinesAtFaultThereIsNoCycle tries batches of which entities are
// put several times, over a hierarchy that is there.
func TestWithoutTheLinesAtFaultThereIsNoCycle(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		ids := rapid.IntRange(0, 7)
		parents := map[authz.EntityRef][]authz.EntityRef{}
		base := func(ref authz.EntityRef) ([]authz.EntityRef, error) { return parents[ref], nil }
		for i := range 8 { // upwards only
			for _, above := range rapid.SliceOfNDistinct(rapid.IntRange(1, 8), 0, 2, rapid.ID).Draw(t, "above") {
				parents[group(i)] = append(parents[group(i)], group(i+above))
			}
		}
		var batch []parsedLine
		for number := range rapid.IntRange(1, 20).Draw(t, "lines") {
			var above []authz.EntityRef
			for _, id := range rapid.SliceOfNDistinct(ids, 0, 3, rapid.ID).Draw(t, "parents") {
				above = append(above, group(id))
			}
			batch = append(batch, put(number+1, ids.Draw(t, "id"), above...))
		}
		atFault, err := linesAtFault(context.Background(), batch, base)
		if err != nil {
			t.Fatal(err)
		}
		cyclic := func(refused map[int]string) bool {
			after := map[authz.EntityRef][]authz.EntityRef{}
			for _, line := range batch {
				if _, is := refused[line.number]; !is {
					after[line.change.PutEntity.Ref] = line.change.PutEntity.Parents
				}
			}
			search := hierarchy.NewSearch(func(ref authz.EntityRef) ([]authz.EntityRef, error) {
				if above, set := after[ref]; set {
					return above, nil
				}
				return base(ref)
			}, math.MaxInt)
			for i := range 8 {
				if cycle, _ := search.FindCycle(context.Background(), group(i)); cycle != nil {
					return true
				}
			}
			return false
		}
		if cyclic(atFault) {
			t.Fatalf("a cycle is left without %v", atFault)
		}
		if len(atFault) > 0 != cyclic(nil) {
			t.Fatalf("lines at fault %v, with a cycle: %v", atFault, cyclic(nil))
		}
	})
}
