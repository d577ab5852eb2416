package main

import (
	"fmt"
	"slices"
	"testing"

	"github.com/verdictpdp/verdict/engine/pdp"
)

// A search goes through pages as far as its limit, and says whether that is all.
func TestPages(t *testing.T) {
	const total = 2_800
	pages := func(yield func(pdp.Found, error) bool) {
		for i := 0; i < total; i += pdp.MaxSearchLimit {
			var found pdp.Found
			for j := i; j < min(i+pdp.MaxSearchLimit, total); j++ {
				found.IDs = append(found.IDs, fmt.Sprintf("d%05d", j))
			}
			if i+pdp.MaxSearchLimit < total {
				found.Next = "next"
			}
			if !yield(found, nil) {
				return
			}
		}
	}
	for _, tt := range []struct {
		limit, want int
		complete    bool
	}{
		{0, 2_800, true}, {1_000, 1_000, false}, {1_001, 1_001, false}, {2_500, 2_500, false},
		{2_799, 2_799, false}, {2_800, 2_800, true}, {2_801, 2_800, true},
	} {
		t.Run(fmt.Sprint(tt.limit), func(t *testing.T) {
			found, err := (&search{limit: tt.limit}).gather(pages)
			if err != nil || len(found.IDs) != tt.want || found.complete != tt.complete || !slices.IsSorted(found.IDs) {
				t.Errorf("%d found, complete %t; want %d, %t: %v", len(found.IDs), found.complete, tt.want, tt.complete, err)
			}
		})
	}
}
