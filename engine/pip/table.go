package pip

// A table finds rows by their texts, of which no two are the same. It is not
// changed once made.
type table[R any] struct {
	texts  []string // in order
	rows   []R
	byText map[string]int32 // nil where a scan is faster
}

// fewRows is up to how many rows a scan finds one about as fast as a map does:
// see BenchmarkFind.
const fewRows = 8

// newTable makes a table of rows whose texts are in order.
func newTable[R any](texts []string, rows []R) table[R] {
	t := table[R]{texts: texts, rows: rows}
	if len(texts) > fewRows {
		t.byText = make(map[string]int32, len(texts))
		for i, text := range texts {
			t.byText[text] = int32(i)
		}
	}
	return t
}

// find is the place of a text, or -1.
func (t *table[R]) find(text string) int {
	if t.byText != nil {
		if i, found := t.byText[text]; found {
			return int(i)
		}
		return -1
	}
	for i := range t.texts {
		if t.texts[i] == text {
			return i
		}
	}
	return -1
}

// tableBytes is an estimate of the bytes of a table of n rows, without what the
// rows and texts hold.
func tableBytes(n int) int {
	const text, slot = 16, 25
	if n <= fewRows {
		return text * n
	}
	return text*n + 48 + slot*slots(n)
}
