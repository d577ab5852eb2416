package closure

import (
	"fmt"
	"strings"
	"testing"

	"github.com/verdictpdp/verdict/engine/eval/evaltest"
)

// doubled is rules of which each has twice the members of the one before, and the last
// more than an evaluation may make.
func doubled(rules int) string {
	var text strings.Builder
	text.WriteString("s0 := [1, 2]\n")
	for i := 1; i <= rules; i++ {
		fmt.Fprintf(&text, "s%d := array.concat(s%d, s%d)\n", i, i-1, i-1)
	}
	fmt.Fprintf(&text, "allow if count(s%d) > 0\n", rules)
	return text.String()
}

// TestFoldingTakesNoMoreThanItMay has many rules whose folding is given up on.
func TestFoldingTakesNoMoreThanItMay(t *testing.T) {
	s := planned(t, evaltest.Case{Rego: doubled(60)})
	s.off = staticPass | callsPass
	for _, steps := range []int64{0, 10_000, maxFolding} {
		tree, err := s.tree()
		if err != nil {
			t.Fatal(err)
		}
		left := steps
		folded, err := s.foldFunctions(tree, &left)
		if err != nil {
			t.Fatal(err)
		}
		if folded != (steps > 0) {
			t.Errorf("of %d steps, whether anything is folded is %v", steps, folded)
		}
		if left < 0 || left > steps/10 {
			t.Errorf("of %d steps, %d are left", steps, left)
		}
	}
}
