package directory

import (
	"strings"
	"testing"

	"github.com/verdictpdp/verdict/api/authz"
	"github.com/verdictpdp/verdict/engine/background"
)

func TestPanicsAtALineEndTheImportAlone(t *testing.T) {
	bug := func(line parsedLine) error {
		if line.number == 2 {
			panic("bug")
		}
		return nil
	}
	text := strings.Repeat(`{"delete":{"grant":"g"}}`+"\n", 3)
	err := eachLine(t.Context(), nil, "workforce", strings.NewReader(text), bug)
	if authz.KindOf(err) != authz.Internal || !strings.HasPrefix(err.Error(), "line 2: a panic: bug") {
		t.Errorf("error %v, expected an internal one of line 2", err)
	}

	broken := block{text: []byte("{}"), lines: []blockLine{{number: 7, end: 1_000}}, ready: make(chan struct{})}
	broken.parse(t.Context(), new(Parser), background.Work{}, "workforce")
	err = taken(func(parsedLine) error { return nil }, broken.parsed[0])
	if authz.KindOf(err) != authz.Internal || !strings.HasPrefix(err.Error(), "line 7: a panic: ") {
		t.Errorf("error %v, expected an internal one of line 7", err)
	}
}
