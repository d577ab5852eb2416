package pip

import (
	"fmt"
	"slices"
	"testing"
)

func TestTable(t *testing.T) {
	for _, n := range []int{0, 1, fewRows, fewRows + 1, 100} {
		texts, rows := make([]string, n), make([]int, n)
		for i := range texts {
			texts[i], rows[i] = fmt.Sprintf("t%03d", i), i
		}
		table := newTable(texts, rows)
		for i, text := range texts {
			if at := table.find(text); at != i || table.rows[at] != i {
				t.Errorf("of %d rows, %s is found at %d, expected %d", n, text, at, i)
			}
		}
		if at := table.find("t"); at != -1 {
			t.Errorf("of %d rows, what is not there is found at %d", n, at)
		}
	}
}

// BenchmarkFind finds refs of one length, three in four of them there, by a
// scan and by a map.
func BenchmarkFind(b *testing.B) {
	for _, n := range []int{4, fewRows, 2 * fewRows, 4 * fewRows, 1_000} {
		texts := make([]string, n)
		for i := range texts {
			texts[i] = fmt.Sprintf("department:d%04d", i)
		}
		asked := make([]string, 64)
		for i := range asked {
			asked[i] = fmt.Sprintf("department:d%04d", i*7%n)
			if i%4 == 3 {
				asked[i] = "department:other"
			}
		}
		byMap := newTable(slices.Concat(texts, make([]string, fewRows)), make([]int, n))
		scanned := table[int]{texts: texts}
		for name, table := range map[string]*table[int]{"scan": &scanned, "map": &byMap} {
			b.Run(fmt.Sprintf("%d %s", n, name), func(b *testing.B) {
				i := 0
				for b.Loop() {
					table.find(asked[i%len(asked)])
					i++
				}
			})
		}
	}
}
