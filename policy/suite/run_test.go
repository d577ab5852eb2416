package suite_test

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"github.com/open-policy-agent/opa/v1/storage/inmem"

	"github.com/verdictpdp/verdict/api/authz"
	"github.com/verdictpdp/verdict/policy/bundle"
	"github.com/verdictpdp/verdict/policy/suite"
)

const policy = `package authz

import rego.v2

allow if {
	input.subject.id in data.limits.friends
	input.resource.type == "door"
}

deny contains "late" if time.parse_rfc3339_ns(input.context.time) > 0
`

// bundled is a bundle of the policy above and a test module.
func bundled(t *testing.T, tests string) *bundle.Bundle {
	t.Helper()
	fsys := fstest.MapFS{
		"b/authz.rego":      {Data: []byte(policy)},
		"b/authz_test.rego": {Data: []byte("package authz_test\n\n" + tests)},
		"b/data.json":       {Data: []byte(`{"limits": {"friends": ["mina"]}}`)},
	}
	b, err := bundle.ReadFS(fsys, "b")
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func run(t *testing.T, opts suite.Options) suite.Report {
	t.Helper()
	report, err := suite.Run(t.Context(), opts)
	if err != nil {
		t.Fatal(err)
	}
	return report
}

func TestOutcomes(t *testing.T) {
	for _, c := range []struct {
		name string
		text string
		want suite.Test
	}{
		{
			"a test that holds",
			`test_x if data.authz.allow with input as {"subject": {"id": "mina"}, "resource": {"type": "door"}}`,
			suite.Test{Name: "test_x", Outcome: suite.Pass},
		},
		{
			"a test that fails",
			"test_x if {\n\t1 == 1\n\tdata.authz.allow with\n\t\tinput as {}\n}",
			suite.Test{Name: "test_x", Outcome: suite.Fail, FailedAt: "b/authz_test.rego:5", FailedExpr: "data.authz.allow with input as {}"},
		},
		{
			"a test that fails further on for one binding than for another",
			"test_x if {\n\tsome n in [1, 2]\n\tn > 1\n\tn == 3\n}",
			suite.Test{Name: "test_x", Outcome: suite.Fail, FailedAt: "b/authz_test.rego:6", FailedExpr: "n == 3"},
		},
		{
			"a test that is false",
			"test_x := false",
			suite.Test{Name: "test_x", Outcome: suite.Fail},
		},
		{
			"a test with cases",
			"test_x[name] if {\n\tsome name, n in {\"one\": 1, \"two\": 2, \"three\": 3}\n\tn == 2\n}",
			suite.Test{Name: "test_x", Outcome: suite.Fail, FailedAt: "b/authz_test.rego:5", FailedExpr: "n == 2", FailedCases: []string{"one", "three"}},
		},
		{
			"a test in which a built-in fails",
			`test_x if count(data.authz.deny) == 0 with input as {"context": {"time": "noon"}}`,
			suite.Test{
				Name: "test_x", Outcome: suite.Error, FailedAt: "b/authz.rego:10",
				Err: `time.parse_rfc3339_ns: parsing time "noon" as "2006-01-02T15:04:05Z07:00": cannot parse "noon" as "2006"`,
			},
		},
		{
			"a test in which a built-in that walks graphs fails",
			`test_x if count(graph.reachable({}, input.nodes)) == 0 with input as {"nodes": "a"}`,
			suite.Test{
				Name: "test_x", Outcome: suite.Error, FailedAt: "b/authz_test.rego:3",
				Err: "graph.reachable: operand 2 must be {array, set} but got string",
			},
		},
		{
			"a test that mocks a built-in that walks graphs",
			"test_x if count(graph.reachable({}, [])) == 1 with graph.reachable as f\n\nf(_, _) := {1}",
			suite.Test{Name: "test_x", Outcome: suite.Pass},
		},
		{
			"a test in which rules conflict",
			"test_x if f(1)\n\nf(_) := true\n\nf(_) := false",
			suite.Test{Name: "test_x", Outcome: suite.Error, FailedAt: "b/authz_test.rego:7", Err: "function data.authz_test.f produced conflicting values for the same inputs:\n  true at b/authz_test.rego:5\n  false at b/authz_test.rego:7"},
		},
		{
			"a test to come",
			"todo_test_x if false",
			suite.Test{Name: "todo_test_x", Outcome: suite.Skip},
		},
		{
			"a test that prints",
			"test_x if {\n\tprint(\"friends:\", data.limits.friends)\n}",
			suite.Test{Name: "test_x", Outcome: suite.Pass, Output: "friends: [\"mina\"]\n"},
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			report := run(t, suite.Options{Bundle: bundled(t, c.text)})
			c.want.Package, c.want.Location = "data.authz_test", "b/authz_test.rego:3"
			if diff := cmp.Diff([]suite.Test{c.want}, report.Tests, cmpopts.IgnoreFields(suite.Test{}, "Duration")); diff != "" {
				t.Errorf("tests (-want +got):\n%s", diff)
			}
		})
	}
}

func TestReportCountsInTheOrderOfTheFile(t *testing.T) {
	b := bundled(t, `test_c if true

test_b if false

todo_test_a if true

test_d if time.parse_rfc3339_ns("noon")

test_c if true
`)
	for range 3 {
		report := run(t, suite.Options{Bundle: b})
		var names []string
		for _, test := range report.Tests {
			names = append(names, test.Name+" "+test.Outcome.String())
		}
		want := []string{"test_c pass", "test_b fail", "todo_test_a skip", "test_d error", "test_c#01 pass"}
		if diff := cmp.Diff(want, names); diff != "" {
			t.Errorf("tests (-want +got):\n%s", diff)
		}
		if report.Passed != 2 || report.Failed != 1 || report.Errored != 1 || report.Skipped != 1 || report.OK() {
			t.Errorf("totals %+v", report)
		}
	}
}

func TestFailedExprOfOneOfTwoTestsOfOneName(t *testing.T) {
	report := run(t, suite.Options{Bundle: bundled(t, "test_x if 1 == 1\n\ntest_x if 1 == 2\n")})
	if got := report.Tests[1]; got.FailedExpr != "1 == 2" || got.FailedAt != "b/authz_test.rego:5" {
		t.Errorf("the second failed at %q (%s), want 1 == 2", got.FailedExpr, got.FailedAt)
	}
}

func TestFilter(t *testing.T) {
	b := bundled(t, "test_door if true\n\ntest_window if true\n\ntest_doorbell if true\n")
	for _, c := range []struct {
		filter string
		want   []string
	}{
		{"", []string{"test_door", "test_window", "test_doorbell"}},
		{"door", []string{"test_door", "test_doorbell"}},
		{"door$", []string{"test_door"}},
		{`^data\.authz_test\.test_w`, []string{"test_window"}},
		{"roof", nil},
	} {
		t.Run(c.filter, func(t *testing.T) {
			var names []string
			for _, test := range run(t, suite.Options{Bundle: b, Filter: c.filter}).Tests {
				names = append(names, test.Name)
			}
			if !slices.Equal(names, c.want) {
				t.Errorf("ran %v, want %v", names, c.want)
			}
		})
	}
}

func TestTheStoreHoldsTheDirectory(t *testing.T) {
	report := run(t, suite.Options{
		Bundle: bundled(t, `test_mina if data.directory.user.mina.attributes.title == "nurse"

test_mocked if data.directory.user.mina.attributes.title == "doctor" with data.directory.user.mina as {"attributes": {"title": "doctor"}}

test_mocked_leaves_others if data.directory.user.olga with data.directory.user.mina as {}
`),
		Store: inmem.NewFromObject(map[string]any{"directory": map[string]any{"user": map[string]any{
			"mina": map[string]any{"attributes": map[string]any{"title": "nurse"}},
			"olga": map[string]any{},
		}}}),
		Parallel: 3,
	})
	if !report.OK() || report.Passed != 3 {
		t.Errorf("report %+v", report)
	}
}

func TestOthersHaveTheirTurnAfterEachTest(t *testing.T) {
	rests := 0
	report := run(t, suite.Options{Bundle: bundled(t, "test_one if true\n\ntest_two if true\n\ntest_three if true\n"), Parallel: 1, Rest: func() { rests++ }})
	if !report.OK() || rests < len(report.Tests) {
		t.Errorf("others have their turn %d times beside %d tests", rests, len(report.Tests))
	}
}

func TestATestThatTakesTooLong(t *testing.T) {
	report := run(t, suite.Options{
		Bundle:  bundled(t, "test_slow if count([x | some x in numbers.range(1, 100000); some y in numbers.range(1, 100000); x == y]) == 0\n\ntest_fast if true\n"),
		Timeout: 50 * time.Millisecond,
	})
	slow, fast := report.Tests[0], report.Tests[1]
	if slow.Outcome != suite.Error || !strings.Contains(slow.Err, "longer than 50ms") {
		t.Errorf("the slow test: %+v", slow)
	}
	if fast.Outcome != suite.Pass {
		t.Errorf("the fast test: %+v", fast)
	}
}

// OPA's own graph functions look at each way to a node, and do not stop.
func TestGraphsAreWalkedAsInADecision(t *testing.T) {
	const layers = `layers := {node: next |
	some i in numbers.range(0, 24)
	next := {sprintf("a%d", [i + 1]), sprintf("b%d", [i + 1])}
	some node in {sprintf("a%d", [i]), sprintf("b%d", [i])}
}
`
	report := run(t, suite.Options{
		Bundle: bundled(t, `test_reachable if count(graph.reachable(layers, {"a0"})) == 49

test_paths if count(graph.reachable_paths(layers, {"a0"})) > 0

`+layers),
		Timeout: time.Second,
	})
	if got := report.Tests[0]; got.Outcome != suite.Pass {
		t.Errorf("of %v, the first did not pass", report.Tests)
	}
	if got := report.Tests[1]; got.Outcome != suite.Error || !strings.Contains(got.Err, "longer than 1s") {
		t.Errorf("there are 2^24 paths, and yet: %+v", got)
	}
}

func TestRunEndsWithItsContext(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err := suite.Run(ctx, suite.Options{Bundle: bundled(t, "test_x if true")})
	if !errors.Is(err, context.Canceled) {
		t.Errorf("got %v, want context.Canceled", err)
	}
}

func TestRunRefuses(t *testing.T) {
	for _, c := range []struct {
		name string
		opts suite.Options
		text string
	}{
		{"tests that do not compile", suite.Options{Bundle: bundled(t, "test_x if nosuch(1)")}, "b/authz_test.rego:3: "},
		{"built-ins that are off", suite.Options{Bundle: bundled(t, "test_x if rand.intn(\"x\", 2) < 2")}, "rand.intn is turned off"},
		{"built-ins that do not exist", suite.Options{Bundle: bundled(t, ""), Builtins: []string{"rnd.intn"}}, "did you mean rand.intn?"},
		{"a filter that is no expression", suite.Options{Bundle: bundled(t, ""), Filter: "("}, "filter: "},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, err := suite.Run(t.Context(), c.opts)
			if authz.KindOf(err) != authz.Invalid || !strings.Contains(err.Error(), c.text) {
				t.Errorf("got %v (%v), want kind Invalid and %q", err, authz.KindOf(err), c.text)
			}
		})
	}
}

func TestBuiltinsThatAreTurnedOn(t *testing.T) {
	report := run(t, suite.Options{Bundle: bundled(t, "test_x if rand.intn(\"x\", 2) < 2"), Builtins: []string{"rand.intn"}})
	if !report.OK() {
		t.Errorf("report %+v", report)
	}
}

// A library has tests and no decision.
func TestRunNeedsNoDecision(t *testing.T) {
	b, err := bundle.ReadFS(fstest.MapFS{
		"lib.rego":      {Data: []byte("package lib\n\nx := 1")},
		"lib_test.rego": {Data: []byte("package lib_test\n\ntest_x if data.lib.x == 1")},
	}, ".")
	if err != nil {
		t.Fatal(err)
	}
	if report := run(t, suite.Options{Bundle: b}); report.Passed != 1 {
		t.Errorf("report %+v", report)
	}
}

func TestABundleWithoutTests(t *testing.T) {
	if report := run(t, suite.Options{Bundle: bundled(t, "")}); len(report.Tests) != 0 || !report.OK() {
		t.Errorf("report %+v", report)
	}
}
