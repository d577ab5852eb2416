package table

import (
	"bytes"
	"context"
	"errors"
	"io"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/verdictpdp/verdict/api/authz"
	"github.com/verdictpdp/verdict/benchmarks/engines"
	"github.com/verdictpdp/verdict/benchmarks/scenario"
	"github.com/verdictpdp/verdict/policy/bundle"
)

// A fake engine allows what the world says, and takes a while for it.
type fake struct {
	name     string
	work     int    // how much each decision computes
	wrong    int    // the question that it answers wrongly, or -1
	details  string // of every answer
	cannot   string // the scenario that it cannot express
	fails    error
	asked    *[]int
	sink     *uint64
	activate func()
}

func (f fake) Name() string { return f.name }

func (f fake) Open(_ context.Context, s scenario.Scenario, w *scenario.World) (engines.Point, error) {
	if s.Name == f.cannot {
		return nil, nil
	}
	return fakePoint{f, w.Questions}, nil
}

func (f fake) Activate(context.Context, *bundle.Bundle) error {
	f.activate()
	return nil
}

type fakePoint struct {
	fake
	questions []scenario.Question
}

func (p fakePoint) Decide(i int) (bool, error) {
	if p.asked != nil {
		*p.asked = append(*p.asked, i)
	}
	for n := range uint64(p.work) {
		*p.sink += n ^ *p.sink<<1
	}
	return p.questions[i].Allowed != (i == p.wrong), p.fails
}

func (p fakePoint) Answer(i int) (engines.Answer, error) {
	allowed, err := p.Decide(i)
	a := engines.Answer{Allowed: allowed}
	if p.details != "" {
		a.Details = []byte(p.details)
	}
	return a, err
}

func newFake(name string, work int) fake {
	return fake{name: name, work: work, wrong: -1, sink: new(uint64), activate: func() {}}
}

// fakeScenario has four questions.
func fakeScenario(name string) scenario.Scenario {
	return scenario.Scenario{Name: name, World: func() (*scenario.World, error) {
		w := &scenario.World{}
		for i := range 4 {
			request := &authz.Request{Subject: authz.Subject{Type: "user", ID: strings.Repeat("u", i+1)}}
			w.Questions = append(w.Questions, scenario.Question{Request: request, Allowed: i%2 == 0})
		}
		return w, nil
	}}
}

func testOptions() options {
	return options{run: regexp.MustCompile(""), rounds: 3, turn: time.Millisecond}
}

func printed(t *testing.T, o options, scenarios []scenario.Scenario, all ...engines.Engine) string {
	t.Helper()
	var out bytes.Buffer
	if err := newTable(o, scenarios, nil, all, &out, io.Discard).print(t.Context()); err != nil {
		t.Fatal(err)
	}
	return out.String()
}

func TestTableShowsWhichEngineIsFaster(t *testing.T) {
	large := fakeScenario("large")
	large.Beside = "small"
	slow, fast := newFake("slow", 20_000), newFake("fast", 1_000)
	slow.cannot = "small"
	text := printed(t, testOptions(), []scenario.Scenario{fakeScenario("small"), large}, slow, fast)
	// Twenty times the work, and no less than twice the time, whatever else the
	// machine does.
	if !regexp.MustCompile(`(?m)^large +cycling .* ([2-9]\.\d\d|[1-9]\d\.\d|[1-9]\d\d)$`).MatchString(text) {
		t.Errorf("an engine of twenty times the work does not take at least twice as long:\n%s", text)
	}
	for _, want := range []string{"× fast", "geometric mean", "beside"} {
		if !strings.Contains(text, want) {
			t.Errorf("the table does not say %q:\n%s", want, text)
		}
	}
}

func TestTableAligns(t *testing.T) {
	rows := []scenario.Scenario{fakeScenario("short"), fakeScenario("a-longer-name")}
	o := testOptions()
	text := printed(t, o, rows, newFake("slow", 100), newFake("fast", 1))
	lines := strings.Split(text, "\n")
	for i, line := range lines[1:6] { // below that of the units
		if len([]rune(line)) != len([]rune(lines[1])) {
			t.Errorf("line %d is not as long as the first:\n%s", i, text)
		}
	}
	o.markdown = true
	text = printed(t, o, rows, newFake("slow", 100), newFake("fast", 1))
	lines = strings.Split(text, "\n")
	if !regexp.MustCompile(`^\|( -+ \|){2}( -+: \|)+$`).MatchString(lines[1]) {
		t.Errorf("the second line is no rule of a markdown table:\n%s", text)
	}
	for i, line := range lines[:6] {
		if strings.Count(line, "|") != strings.Count(lines[0], "|") {
			t.Errorf("line %d has another number of columns than the first:\n%s", i, text)
		}
	}
}

func TestTableRefusesWhatIsWrong(t *testing.T) {
	right, wrong, talks, other, fails := newFake("right", 1), newFake("wrong", 1), newFake("talks", 1), newFake("other", 1), newFake("fails", 1)
	wrong.wrong = 2
	talks.details, other.details = `["a"]`, `["b"]`
	fails.fails = errors.New("broken")
	tests := []struct {
		name string
		all  []engines.Engine
		want string // in the error
	}{
		{"all agree", []engines.Engine{right, talks}, ""},
		{"one denies what is allowed", []engines.Engine{right, wrong}, `row: question 2, {"Tenant":"","Subject":{"Type":"user","ID":"uuu"`},
		{"two give other reasons", []engines.Engine{talks, right, other}, `talks answers ["a"], and other ["b"]`},
		{"one fails", []engines.Engine{right, fails}, "fails: broken"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			var out bytes.Buffer
			err := newTable(testOptions(), []scenario.Scenario{fakeScenario("row")}, nil, tt.all, &out, io.Discard).print(t.Context())
			if tt.want == "" {
				if err != nil {
					t.Fatal(err)
				}
				return
			}
			if err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("the error is %v, want %q in it", err, tt.want)
			}
		})
	}
}

func TestActivationsAreMeasured(t *testing.T) {
	activated := 0
	engine := newFake("engine", 1)
	engine.activate = func() { activated++ }
	activation := scenario.Activation{Name: "ready", Bundle: func() (*bundle.Bundle, error) { return &bundle.Bundle{}, nil }}
	var out bytes.Buffer
	if err := newTable(testOptions(), nil, []scenario.Activation{activation}, []engines.Engine{engine}, &out, io.Discard).print(t.Context()); err != nil {
		t.Fatal(err)
	}
	if activated < testOptions().rounds || !regexp.MustCompile(`(?s)ms.*engine.*ready +[0-9.]`).MatchString(out.String()) {
		t.Errorf("%d activations in %d rounds:\n%s", activated, testOptions().rounds, &out)
	}
}

func TestMainRefusesFlags(t *testing.T) {
	tests := []struct {
		arguments []string
		want      int
	}{
		{[]string{"-list", "-run", "^customer$"}, 0},
		{[]string{"-h"}, 0},
		{[]string{"-run", "no such row"}, 1},
		{[]string{"-run", "("}, 2},
		{[]string{"-rounds", "0"}, 2},
		{[]string{"customer"}, 2},
	}
	for _, tt := range tests {
		t.Run(strings.Join(tt.arguments, " "), func(t *testing.T) {
			var out, told bytes.Buffer
			code := Main(t.Context(), append([]string{"decisions"}, tt.arguments...), &out, &told, engines.All())
			if code != tt.want {
				t.Errorf("exit code %d, want %d: %s", code, tt.want, &told)
			}
			if code != 0 && told.Len() == 0 {
				t.Error("nothing says why")
			}
		})
	}
}
