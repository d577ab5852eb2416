package evaltest

import (
	"reflect"
	"strings"
	"testing"

	"github.com/open-policy-agent/opa/v1/ast"
	"github.com/rogpeppe/go-internal/txtar"

	"github.com/verdictpdp/verdict/engine/eval/evaltest/generate"
)

func TestADifferenceIsShownSmall(t *testing.T) {
	held := Differential{Querier: inNodes(func(rule *ast.Rule) { rule.Else = nil })}
	for seed := range uint64(100) {
		_, found := held.Check(t, generate.Seeded(seed))
		if found == nil {
			continue
		}
		small := found.Shrunk(t)
		text := small.Case.Modules[generate.Policy] + small.Case.Modules[generate.Helper]
		const most = 30
		if lines := strings.Count(text, "\n"); lines > most || !strings.Contains(text, "else") {
			t.Errorf("what is left has %d lines:\n%s", lines, small)
		}
		if _, again := held.Check(t, small.Case); again == nil {
			t.Error("what is left is no difference")
		}
		return
	}
	t.Error("no difference was found to shrink")
}

func TestArchivesHoldCases(t *testing.T) {
	c := generate.Seeded(3)
	c.Requests, c.Queries = c.Requests[:1], c.Queries[1:2]
	read := unarchived(t, txtar.Parse([]byte(archived(c))))
	if again := archived(read); again != archived(c) {
		t.Errorf("read back, the archive is\n%s\nnot\n%s", again, archived(c))
	}
	if !reflect.DeepEqual(read.Queries, c.Queries) || !reflect.DeepEqual(read.Requests[0].Context, c.Requests[0].Context) {
		t.Errorf("read back, the case is %+v, not %+v", read, c)
	}
}
