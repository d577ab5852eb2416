package pdp_test

import (
	"fmt"
	"math"
	"runtime"
	"runtime/metrics"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/verdictpdp/verdict/api/authz"
	"github.com/verdictpdp/verdict/engine/pdp"
)

// A runaway is a policy that does without end, or much too much, when the action
// is to run.
type runaway struct {
	name    string
	body    string // of the rule that allows to run
	context authz.Object
	rules   string // that the body rests on
}

func (r runaway) module() string {
	return "package authz\n\nimport rego.v2\n\nallow if input.action.name == \"read\"\n\n" +
		"allow if {\n\tinput.action.name == \"run\"\n\t" + r.body + "\n}\n\n" + r.rules
}

// run checks that the policy is stopped by a limit, in a deny that names it, and
// that the next request is decided. It returns how long that took.
func (r runaway) run(t *testing.T, limits pdp.Limits, limit string) time.Duration {
	t.Helper()
	p, _ := newPDP(prepare(t, r.module()).Eval, limits)
	request := newRequest()
	request.Action.Name, request.Context = "run", r.context
	start := time.Now()
	checkLimit(t, p, request, limit)
	took := time.Since(start)
	decision, err := p.Decide(t.Context(), newRequest(), pdp.DecideOptions{})
	if err != nil || !decision.Allowed {
		t.Errorf("what was asked next came out as %+v, %v", decision, err)
	}
	return took
}

// TestRunawaysAreStoppedInTime runs policies without a limit but the time, which may be
// there twice, see budget. A machine that has other things to do may be late, but not
// time after time.
func TestRunawaysAreStoppedInTime(t *testing.T) {
	const limit, tries = 500 * time.Millisecond, 4
	for _, r := range endless() {
		t.Run(r.name, func(t *testing.T) {
			for i := range tries {
				took := r.run(t, pdp.Limits{Evaluation: limit, Steps: math.MaxInt64}, "evaluation time 500ms")
				if took <= 3*limit || testing.Short() { // which the race detector is run with: it takes its own time
					return
				}
				if i == tries-1 {
					t.Errorf("it was stopped after %v, more than three times the limit of %v", took, limit)
				}
			}
		})
	}
}

// TestRunawaysAreStoppedBySteps runs the same policies, and others that make much
// of little, without a limit but that of steps, which bounds their memory too.
func TestRunawaysAreStoppedBySteps(t *testing.T) {
	if testing.Short() {
		t.Skip("one goroutine does it all, and for long")
	}
	for _, r := range append(endless(), growing()...) {
		t.Run(r.name, func(t *testing.T) {
			most := mostHeap(func() { r.run(t, pdp.Limits{Evaluation: time.Minute}, "more than the 2000000 steps") })
			if most > 512<<20 {
				t.Errorf("it took %d MiB of memory", most>>20)
			}
		})
	}
}

// mostHeap is by how many bytes the heap grows at the most while work is done.
func mostHeap(work func()) (most uint64) {
	heap := func() uint64 {
		sample := []metrics.Sample{{Name: "/memory/classes/heap/objects:bytes"}}
		metrics.Read(sample)
		return sample[0].Value.Uint64()
	}
	runtime.GC()
	before := heap()
	var watching sync.WaitGroup
	done := make(chan struct{})
	watching.Go(func() {
		for ticks := time.NewTicker(time.Millisecond); ; {
			most = max(most, heap())
			select {
			case <-done:
				ticks.Stop()
				return
			case <-ticks.C:
			}
		}
	})
	work()
	close(done)
	watching.Wait()
	return most - min(most, before)
}

// TestStepsAreExact finds out how many steps a policy takes, and holds that one
// fewer is too few.
func TestStepsAreExact(t *testing.T) {
	for _, items := range []int{0, 1, 100, 1000} {
		t.Run(fmt.Sprint(items), func(t *testing.T) {
			program := prepare(t, fmt.Sprintf("package authz\n\nimport rego.v2\n\nallow if count([y | some x in input.context.list; y := f(x)]) == %d\n\nf(x) := x + 1\n", items))
			request := newRequest()
			request.Context = many(items)
			decide := func(steps int64) authz.Decision {
				p, _ := newPDP(program.Eval, pdp.Limits{Steps: steps})
				decision, err := p.Decide(t.Context(), request, pdp.DecideOptions{})
				if err != nil {
					t.Fatal(err)
				}
				return decision
			}
			few, enough := int64(0), int64(1_000_000)
			for enough-few > 1 {
				if middle := (few + enough) / 2; decide(middle).Allowed {
					enough = middle
				} else {
					few = middle
				}
			}
			if enough < int64(items) {
				t.Errorf("%d steps are enough for %d items", enough, items)
			}
			if few == 0 {
				return // there is no smaller limit
			}
			if d := decide(few); d.Allowed || authz.KindOf(d.Err) != authz.LimitExceeded || !strings.Contains(d.Err.Error(), fmt.Sprintf("more than the %d steps", few)) {
				t.Errorf("with %d steps of the %d that it takes: %+v", few, enough, d)
			}
		})
	}
}

// TestALargeGraphIsNoRunaway asks what can be reached by 2^499 ways.
func TestALargeGraphIsNoRunaway(t *testing.T) {
	p, _ := newPDP(prepare(t, runaway{body: `count(graph.reachable(input.context.graph, {"a0"})) == 999`}.module()).Eval, pdp.Limits{})
	request := newRequest()
	request.Action.Name, request.Context = "run", layers(500)
	if decision, err := p.Decide(t.Context(), request, pdp.DecideOptions{}); err != nil || !decision.Allowed {
		t.Errorf("decision %+v, %v", decision, err)
	}
}

// endless go on for longer than any decision may, in small steps.
func endless() []runaway {
	return []runaway{
		{name: "nested iteration", context: many(100_000), body: `some a in input.context.list
	some b in input.context.list
	some c in input.context.list
	a + b + c < 0`},
		{name: "nested iteration over ranges", body: `some a in numbers.range(1, 1000)
	some b in numbers.range(1, 1000)
	some c in numbers.range(1, 1000)
	a * b * c == 0`},
		{name: "every in every", context: many(100_000), body: `every a in input.context.list {
		every b in input.context.list {
			every c in input.context.list { a + b + c >= 0 }
		}
	}`},
		{name: "an array of pairs", context: many(100_000), body: `count([[a, b] | some a in input.context.list; some b in input.context.list]) == 0`},
		{name: "a set of pairs", context: many(100_000), body: `count({[a, b] | some a in input.context.list; some b in input.context.list}) == 0`},
		{name: "an object by pairs", context: many(100_000), body: `count({[a, b]: a | some a in input.context.list; some b in input.context.list}) == 0`},
		{name: "a rule of pairs", context: many(100_000), body: `count(pairs) == 0`, rules: `pairs contains [a, b] if {
	some a in input.context.list
	some b in input.context.list
}`},
		{name: "each call makes four", body: `f20(1) == 0`, rules: "f0(x) := x\n" + levels(20, func(i int) string {
			return fmt.Sprintf("f%d(x) := f%d(x) + f%d(x + 1) + f%d(x + 2) + f%d(x + 3)", i+1, i, i, i, i)
		})},
		{name: "a walk in walks of deep input", context: authz.Object{"a": nested(pdp.MaxDepth - 2), "b": nested(pdp.MaxDepth - 2)}, body: `walk(input, [p, _])
	walk(input, [q, _])
	walk(input, [r, _])
	walk(input, [s, _])
	count(p) + count(q) + count(r) + count(s) < 0`},
		{name: "a walk in a walk of much input", context: many(100_000), body: `walk(input, [p, _])
	walk(input, [q, _])
	count(p) + count(q) < 0`},
		{name: "all paths through a layered graph", context: layers(500), body: `count(graph.reachable_paths(input.context.graph, {"a0"})) == 0`},
		{name: "what is reachable from any two", context: layers(500), body: `some x, _ in input.context.graph
	some y, _ in input.context.graph
	count(graph.reachable(input.context.graph, {x, y})) == 0`},
		template("a template that ranges in ranges", `{{range .list}}{{range $.list}}{{range $.list}}{{end}}{{end}}{{end}}`),
		template("a template that ranges over a number", `{{range 1000000000000}}{{end}}`),
		template("a template that ranges over templates", `{{range 1000000}}{{template \"less\" .}}{{end}}{{define \"less\"}}{{range 1000000}}{{end}}{{end}}`),
	}
}

// template fills in a template with a long list and a long text.
func template(name, text string) runaway {
	context := many(50_000)
	context["text"] = strings.Repeat("x", 400_000)
	return runaway{name: name, context: context, body: `strings.render_template("` + text + `", input.context) == ""`}
}

// growing make much of little in a few calls.
func growing() []runaway {
	long := authz.Object{"text": strings.Repeat("x", 900_000)}
	both := authz.Object{"text": strings.Repeat("x", 400_000), "list": make([]any, 50_000), "format": strings.Repeat("%[1]s", 20_000)}
	for i := range both["list"].([]any) {
		both["list"].([]any)[i] = "y"
	}
	each := func(name, of string) runaway {
		return runaway{name: name, context: many(100_000), body: `count([y | some a in input.context.list; y := ` + of + `]) == 0`}
	}
	eachText := func(name, of string) runaway {
		return runaway{name: name, context: both, body: `count([y | some a in input.context.list; y := ` + of + `]) == 0`}
	}
	return []runaway{
		doubled("two values of many levels compared", `[input.action.name]`, `array.concat([X], [X])`, `X == array.concat([input.action.name], X)`),
		doubled("values of many levels in a set", `[input.action.name]`, `array.concat([X], [X])`, `count({X, array.concat([1], X)}) == 0`),
		doubled("a value of many levels sought in a collection", `[input.action.name]`, `array.concat([X], [X])`, `array.concat([input.action.name], X) in {X}`),
		doubled("a text doubled by concat", `"xxxx"`, `concat("", [X, X])`, `count(X) == 0`),
		doubled("a text doubled by sprintf", `"xxxx"`, `sprintf("%s%s", [X, X])`, `count(X) == 0`),
		doubled("a text doubled by a template", `"xxxx"`, `$"{X}{X}"`, `count(X) == 0`),
		doubled("a text doubled by replace", `"xxxx"`, `replace(X, "x", "xx")`, `count(X) == 0`),
		doubled("a text doubled by strings.replace_n", `"xxxx"`, `strings.replace_n({"x": "xx"}, X)`, `count(X) == 0`),
		doubled("a text doubled by regex.replace", `"xxxx"`, `regex.replace(X, "x", "xx")`, `count(X) == 0`),
		doubled("a text doubled by hex.encode", `"xxxx"`, `hex.encode(X)`, `count(X) == 0`),
		doubled("a text doubled by json.marshal", `"\"\"\""`, `json.marshal(X)`, `count(X) == 0`),
		doubled("an array doubled by array.concat", `[1, 2, 3, 4]`, `array.concat(X, X)`, `count(X) == 0`),
		doubled("a set doubled in a comprehension", `{1, 2}`, `{y | some x in X; some b in [0, 1]; y := x * 2 + b}`, `count(X) == 0`),
		doubled("a number squared", `7`, `X * X`, `X == 0`),
		doubled("an array of itself twice, written", `[input.subject.id]`, `array.concat([X], [X])`, `json.marshal(X) == ""`),
		doubled("an array of itself twice, formatted", `[input.subject.id]`, `array.concat([X], [X])`, `sprintf("%v", [X]) == ""`),
		doubled("an array of itself twice, compared", `[input.subject.id]`, `array.concat([X], [X])`, `X < [X]`),
		doubled("an array of itself twice, walked", `[input.subject.id]`, `array.concat([X], [X])`, `walk(X, [_, 3])`),
		doubled("an object of itself twice, written", `{"a": input.subject.id}`, `object.union({"a": X}, {"b": X})`, `yaml.marshal(X) == ""`),
		doubled("an object of itself twice, walked", `{"a": input.subject.id}`, `object.union({"a": X}, {"b": X})`, `walk(X, [_, 3])`),
		{name: "a long text between many", context: both, body: `count(concat(input.context.text, input.context.list)) == 0`},
		{name: "a long text for each letter", context: long, body: `count(replace(input.context.text, "x", input.context.text)) == 0`},
		{name: "a long text between letters", context: long, body: `count(replace(input.context.text, "", input.context.text)) == 0`},
		{name: "a long text for each of several letters", context: long, body: `count(strings.replace_n({"x": input.context.text}, input.context.text)) == 0`},
		{name: "a long text for each match", context: long, body: `count(regex.replace(input.context.text, "x", input.context.text)) == 0`},
		{name: "a long text for each verb", context: both, body: `count(sprintf(input.context.format, [input.context.text])) == 0`},
		template("a template that writes much for each", `{{range .list}}{{$.text}}{{end}}`),
		template("a template in itself", `{{define \"more\"}}{{template \"more\"}}{{end}}{{template \"more\"}}`),
		template("a template with texts doubled", `{{$x := \"x\"}}`+strings.Repeat(`{{$x = print $x $x}}`, 40)),
		template("a template with texts doubled in a format", `{{$x := \"x\"}}`+strings.Repeat(`{{$x = printf \"%s%s\" $x $x}}`, 40)),
		template("a template with a long text for each verb", `{{$x := printf \"`+strings.Repeat(`%[1]s`, 20_000)+`\" .text}}`),
		template("a template with a wide text for each verb", `{{$x := printf \"`+strings.Repeat(`%[1]900000s`, 20_000)+`\" .text}}`),
		template("a template with texts escaped", `{{range .list}}{{$x := html $.text}}{{end}}`),
		{name: "a number of many bits", body: `bits.lsh(1, 1000000000000) == 0`},
		{name: "a number of many digits", context: long, body: `units.parse(replace(input.context.text, "x", "1")) == 0`},
		{name: "a pattern of many states", context: long, body: `regex.match("(x?){500}(x*){500}y", input.context.text)`},
		{name: "all addresses", body: `count(net.cidr_expand("::/0")) == 0`},
		{name: "a long range", body: `count(numbers.range(1, 1000000000000)) == 0`},
		{name: "a patch in many places", context: many(50_000), body: `count(json.patch(input.context.list, [{"op": "add", "path": "/0", "value": a} | some a in input.context.list])) == 0`},
		each("copies of an array", `array.concat(input.context.list, [a])`),
		each("an array reversed", `array.reverse(input.context.list)`),
		each("an array sorted", `sort(input.context.list)`),
		each("an array summed up", `sum(input.context.list)`),
		each("an array as JSON", `json.marshal(input.context.list)`),
		each("an array searched", `object.subset(input.context.list, [-1])`),
		eachText("a text split", `split(input.context.text, "")`),
		eachText("a text in capitals", `upper(input.context.text)`),
		eachText("a text hashed", `crypto.sha256(input.context.text)`),
		eachText("a text matched", `regex.match("(x+)+y", input.context.text)`),
		eachText("a text looked through", `contains(input.context.text, "xy")`),
	}
}

// doubled applies a step again and again, with X for what it began with, and then
// for what came of it. That is more than the limit of steps allows, and not much more:
// each rule beyond takes all those steps again while the policy is prepared.
func doubled(name, first, step, then string) runaway {
	const times = 26
	x := func(text string, i int) string { return strings.ReplaceAll(text, "X", fmt.Sprintf("value%d", i)) }
	return runaway{name: name, body: x(then, times), rules: "value0 := " + first + "\n" + levels(times, func(i int) string {
		return fmt.Sprintf("value%d := %s", i+1, x(step, i))
	})}
}

func levels(n int, rule func(i int) string) string {
	var text strings.Builder
	for i := range n {
		text.WriteString(rule(i) + "\n")
	}
	return text.String()
}

// many is a context with a list of as many numbers.
func many(n int) authz.Object {
	list := make([]any, n)
	for i := range list {
		list[i] = i
	}
	return authz.Object{"list": list}
}

// nested is an object in objects.
func nested(depth int) authz.Object {
	object := authz.Object{}
	for range depth - 1 {
		object = authz.Object{"in": object, "beside": 1}
	}
	return object
}

// layers is a context with a graph of two nodes a layer, each with edges to both
// of the next.
func layers(n int) authz.Object {
	graph := authz.Object{}
	for i := range n {
		next := []any{fmt.Sprintf("a%d", i+1), fmt.Sprintf("b%d", i+1)}
		graph[fmt.Sprintf("a%d", i)], graph[fmt.Sprintf("b%d", i)] = next, next
	}
	return authz.Object{"graph": graph}
}
