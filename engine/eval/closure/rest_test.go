package closure

import (
	"strings"
	"testing"
	"time"

	"github.com/verdictpdp/verdict/engine/background"
	"github.com/verdictpdp/verdict/engine/eval/evaltest"
)

// TestCompilingRestsBetweenRules compiles a policy of many rules, and counts how often
// others may have their turn meanwhile.
func TestCompilingRestsBetweenRules(t *testing.T) {
	const rules = 100
	c := evaltest.Case{Rego: strings.Join(numbered(rules, `rule%[1]d := x if { x := input.context.n + %[1]d; x > 1 }`), "\n") +
		"\nallow if sum([" + strings.Join(numbered(rules, "rule%d"), ",") + "]) > 1\n"}
	rests := 0
	s := planned(t, c)
	s.off, s.rest = callsPass, func() { rests++ }
	if _, err := newExecutable(s); err != nil {
		t.Fatal(err)
	}
	if rests < rules {
		t.Errorf("to compile %d rules it rests %d times", rules, rests)
	}
}

// TestVariantsAreMadeAtThePaceOfTheirProgram looks whether anybody asks, while a program
// and a variant of it are made, if there are decisions to rest for.
func TestVariantsAreMadeAtThePaceOfTheirProgram(t *testing.T) {
	asked := 0
	pace := background.New(func() bool { asked++; return false }, func() time.Duration { return 0 }, nil)
	c := kinds(200)
	policy := c.Policy(t)
	p, err := Evaluator{variantAfter: variantAfter}.Prepare(pace.With(t.Context()), policy)
	if err != nil {
		t.Fatal(err)
	}
	if asked == 0 {
		t.Error("nobody asks while the program is made")
	}
	asked = 0
	v := p.(*program).variants
	for deadline := time.Now().Add(10 * time.Second); asked == 0; {
		if time.Now().After(deadline) {
			t.Fatal("nobody asks while variants are made")
		}
		v.making.Lock()
		v.programs.Store(&map[knownFields]*executable{})
		v.make(knownFields{"", "action-1", ""})
	}
}
