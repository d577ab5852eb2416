package table

import (
	"bytes"
	"context"
	"io"
	"strings"
	"testing"

	"github.com/verdictpdp/verdict/benchmarks/scenario"
)

// Each target is printed with its figure, and with whether that meets it.
func TestTargets(t *testing.T) {
	ratio := func(v float64) *float64 { return &v }
	// The engines are cedar, topdown and closure.
	lineOf := func(name string, p pattern, µs, allocs, overCedar, overTopdown float64, input bool) line {
		l := line{
			scenario: scenario.Scenario{Name: name, Input: input}, pattern: p,
			costs:  []*cost{nil, {time: 1}, {time: µs * 1e3, allocs: allocs}},
			ratios: []*float64{nil, ratio(overTopdown), ratio(1)},
		}
		if overCedar > 0 {
			l.ratios[0] = ratio(overCedar)
		}
		return l
	}
	r := results{
		names: []string{"cedar", "topdown", "closure"},
		lines: []line{
			lineOf("customer-decide", one, 0.9, 4.04, 0, 20, false),
			lineOf("customer-decide", cycling, 1.1, 4.1, 0, 80, false),
			lineOf("rules-1", one, 1, 1, 0, 2, false),
			lineOf("rules-5000", one, 1.4, 1, 0, 50, false),
			lineOf("rules-5000", cycling, 1.4, 1, 0, 50, false), // beside nothing
			lineOf("documents-directory-5", one, 1, 1, 4, 50, false),
			lineOf("documents-directory-5", cycling, 1, 1, 9, 50, false),
			lineOf("documents-input-5", one, 1, 1, 1, 20, true),
		},
		activations: map[string]float64{"activation-workforce": 250, "activation-rules-5000": 3001},
	}
	var out bytes.Buffer
	table := newTable(testOptions(), nil, nil, nil, &out, io.Discard)
	table.names = r.names
	table.printTargets(r)
	want := [][]string{
		{"geometric mean over topdown: 8 lines", "×", "≥ 25", "28.2", "met"},
		{"least over topdown: rules-1 one", "×", "≥ 3", "2.00", "missed"},
		{"geometric mean over cedar, entities in the directory: 2 lines", "×", "≥ 5", "6.00", "met"},
		{"customer-decide, one", "µs", "≤ 1", "0.90", "met"},
		{"customer-decide, one", "allocations", "≤ 4", "4.00", "met"},
		{"rules-5000 beside rules-1, one", "×", "≤ 1.5", "1.40", "met"},
		{"customer-decide, cycling", "µs", "≤ 1", "1.10", "missed"},
		{"customer-decide, cycling", "allocations", "≤ 4", "4.10", "missed"},
		{"activation-workforce", "ms", "≤ 250", "250", "met"},
		{"activation-rules-5000", "ms", "≤ 3000", "3001", "missed"},
	}
	got := strings.Split(strings.TrimSpace(out.String()), "\n")[1:]
	if len(got) != len(want) {
		t.Fatalf("%d targets, want %d:\n%s", len(got), len(want), &out)
	}
	for i := range want {
		if strings.Join(strings.Fields(got[i]), " ") != strings.Join(want[i], " ") {
			t.Errorf("target %d is %q, want %q", i, got[i], want[i])
		}
	}
}

// Engines that no target is about have none.
func TestNoTargets(t *testing.T) {
	var out bytes.Buffer
	table := newTable(testOptions(), []scenario.Scenario{fakeScenario("row")}, nil, nil, &out, io.Discard)
	table.engines = append(table.engines, newFake("slow", 10), newFake("fast", 1))
	table.names = []string{"slow", "fast"}
	if err := table.print(context.Background()); err != nil {
		t.Fatal(err)
	}
	if strings.Contains(out.String(), "target") {
		t.Errorf("there are targets:\n%s", &out)
	}
}
