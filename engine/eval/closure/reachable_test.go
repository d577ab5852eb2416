package closure

import (
	"fmt"
	"testing"

	"github.com/verdictpdp/verdict/api/authz"
	"github.com/verdictpdp/verdict/engine/eval"
	"github.com/verdictpdp/verdict/engine/eval/evaltest"
)

func TestReachable(t *testing.T) {
	const directory = `
{"entity": {"type": "user", "id": "mina", "attributes": {"heads": "d0"}}}
{"entity": {"type": "unit", "id": "a", "attributes": {"above": ["b", "x"]}}}
{"entity": {"type": "unit", "id": "b", "attributes": {"above": ["c"]}}}
{"entity": {"type": "unit", "id": "c", "attributes": {"above": []}}}
`
	const data = `{
	"units": {"a": ["b", "gone"], "b": ["c", "a"], "c": [], "d": ["d"], "text": "a", "object": {"a": "a"}, "5": [5, "a"]},
	"none": {}
}`
	sent := authz.Object{
		"units": authz.Object{"a": []any{"b", "gone", 5, nil, []any{"b"}}, "b": []any{"c", "a"}, "c": nil, "text": "a", "object": authz.Object{"a": "a"}, "": []any{""}},
		"chain": inARow(50), "list": []any{"a"}, "no": "a",
	}
	allowed, denied := eval.Output{Allow: true}, eval.Output{}
	var policies []held
	for graph, from := range map[string]string{
		"of data": "data.units", "that was sent": "input.context.units",
		"made of data": "{k: v | some k, v in data.units}", "made of what was sent": "{k: v | some k, v in input.context.units}",
		"of sets": "{k: {n | some n in v} | some k, v in input.context.units}", "in a rule": "units",
	} {
		const rule = "\nunits[k] := v if some k, v in input.context.units"
		for name, p := range map[string]held{
			"near":                {rego: `"a" in graph.reachable(%[1]s, {"a"})`, want: allowed},
			"far":                 {rego: `"c" in graph.reachable(%[1]s, ["a"])`, want: allowed},
			"not in the graph":    {rego: `"gone" in graph.reachable(%[1]s, {"a"})`, want: denied},
			"not reached":         {rego: `"d" in graph.reachable(%[1]s, {"a"})`, want: denied},
			"from nowhere":        {rego: `"a" in graph.reachable(%[1]s, set())`, want: denied},
			"from the unknown":    {rego: `count(graph.reachable(%[1]s, {"gone", 7, null, ["a"]})) == 0`, want: allowed},
			"no text":             {rego: `5 in graph.reachable(%[1]s, {"a"})`, want: denied},
			"as a whole":          {rego: `graph.reachable(%[1]s, {"a", "text"}) == {"a", "b", "c", "text"}`, want: allowed},
			"counted":             {rego: `count(graph.reachable(%[1]s, {"a"})) == 3`, want: allowed},
			"gone through":        {rego: `concat("", [n | some n in graph.reachable(%[1]s, {"b"})]) == "abc"`, want: allowed},
			"sought in":           {rego: `some n in graph.reachable(%[1]s, {"b"}); n == data.directory.unit.c.id`, want: allowed},
			"by a reference":      {rego: `graph.reachable(%[1]s, {"b"})["c"]`, want: allowed},
			"no set of neighbors": {rego: `graph.reachable(%[1]s, {"text"}) == {"text"}`, want: allowed},
			"asked by and by": {rego: `reached := graph.reachable(%[1]s, {"a"})
	not "d" in reached
	"b" in reached
	"c" in reached
	not "gone" in reached
	count(reached) == 3
	"a" in reached
	is_set(reached)
	reached & {"a", "d"} == {"a"}`, want: allowed},
			"no list to begin with":   {rego: `"a" in graph.reachable(%[1]s, input.context.no)`, failure: "graph.reachable: operand 2 must be {array, set} but got string"},
			"an object to begin with": {rego: `"a" in graph.reachable(%[1]s, input.context.units)`, failure: "graph.reachable: operand 2 must be {array, set} but got object"},
			"nothing to begin with":   {rego: `"a" in graph.reachable(%[1]s, input.context.gone)`, want: denied},
			"an undefined beginning":  {rego: `"a" in graph.reachable(%[1]s, {input.context.gone})`, want: denied},
		} {
			p.name = graph + ": " + name
			p.rego = "allow if {\n\t" + fmt.Sprintf(p.rego, from) + "\n}" + rule
			p.request = sends(sent)
			policies = append(policies, p)
		}
	}
	policies = append(policies,
		held{name: "an object is no set of neighbors", rego: `allow if {
	every units in [data.units, input.context.units] { graph.reachable(units, {"object"}) == {"object"} }
}`, request: sends(sent), want: allowed},
		held{name: "nodes that are no texts", rego: `allow if {
	g := {1: [2, [3]], 2: [null], null: [1.0], [3]: {"x"}, "x": [true], false: []}
	graph.reachable(g, [1]) == {1, 2, [3], null, "x"}
	1.0 in graph.reachable(g, [2])
	not true in graph.reachable(g, [1])
}`, want: allowed},
		held{name: "numbers are no names", rego: `allow if graph.reachable(data.units, {"5"}) == {"5", "a", "b", "c"}`, want: allowed},
		held{name: "a graph that is none", rego: `allow if "a" in graph.reachable(input.context.list, {"a"})`, request: sends(sent), failure: "graph.reachable: operand 1 must be object but got array"},
		held{name: "no graph", rego: `allow if "a" in graph.reachable(input.context.gone, {"a"})`, request: sends(sent), want: denied},
		held{name: "an empty graph", rego: `allow if graph.reachable(data.none, {"a"}) == set()`, want: allowed},
		held{name: "a long way", rego: `allow if { "n49" in graph.reachable(input.context.chain, {"n0"}); count(graph.reachable(input.context.chain, {"n10"})) == 40 }`, request: sends(sent), want: allowed},
		held{name: "data replaced", rego: `allow if { reaches with data.units as {"a": ["z"], "z": []}; not reaches }
reaches if "z" in graph.reachable(data.units, {"a"})`, want: allowed},
		held{name: "a graph of entities", rego: `allow if {
	above := {unit.id: unit.attributes.above | some unit in data.directory.unit}
	graph.reachable(above, {"a"}) == {"a", "b", "c"}
	"c" in graph.reachable(above, {"b"})
}`, want: allowed},
		held{name: "entities as a graph", rego: `allow if graph.reachable(data.directory.unit, ["a", "z"]) == {"a"}`, want: allowed},
		held{name: "two walks at once", rego: `allow if {
	up := graph.reachable(data.units, {"a"})
	within := graph.reachable(data.units, {n | some n in graph.reachable(data.units, {"b"}); n in up})
	"c" in within
	not "d" in within
	"d" in graph.reachable(data.units, graph.reachable(data.units, {"d"}))
}`, want: allowed},
	)
	hold(t, directory, data, policies)
}

// inARow is a graph of so many nodes, each next to the one before it.
func inARow(n int) authz.Object {
	graph := authz.Object{}
	for i := range n {
		graph[fmt.Sprint("n", i)] = []any{fmt.Sprint("n", i+1)}
	}
	return graph
}

func TestReachingCounts(t *testing.T) {
	if testing.Short() {
		t.Skip("one goroutine does it all, and for long")
	}
	for name, rego := range map[string]string{
		"a graph of data":       `allow if "n9999" in graph.reachable(data.chain, {"n0"})`,
		"a graph that was sent": `allow if "n9999" in graph.reachable(input.context.chain, {"n0"})`,
	} {
		t.Run(name, func(t *testing.T) {
			in, program := long(t, rego)
			in.Steps = 5_000
			if _, err := program.Eval(t.Context(), in); authz.KindOf(err) != authz.LimitExceeded {
				t.Errorf("the error is %v, expected that the limit of steps is exceeded", err)
			}
			in, program = long(t, rego)
			in.Steps = 50_000
			if out, err := program.Eval(t.Context(), in); err != nil || !out.Allow {
				t.Errorf("allow is %v, error %v", out.Allow, err)
			}
		})
	}
}

func long(t *testing.T, rego string) (eval.Input, eval.Program) {
	text := `{"chain": {"n0": ["n1"]`
	for i := 1; i < 10_000; i++ {
		text += fmt.Sprintf(`, "n%d": ["n%d"]`, i, i+1)
	}
	c := evaltest.Case{Rego: rego, Data: text + "}}", Request: sends(authz.Object{"chain": inARow(10_000)})}
	return c.Input(t), c.Prepare(t, New())
}

// Evaluations use the same collections one after another, and what is kept of one
// stays as it was.
func TestCollectionsAreUsedAgain(t *testing.T) {
	c := evaltest.Case{
		Rego: `
allow if input.context.n == count(sent)
deny contains concat(",", few)
deny contains concat(",", many)
deny contains concat(",", [x | some x in input.context.list])
obligations := {"list": [x | some x in input.context.list], "set": sent, "object": {x: 1 | some x in input.context.list}}
sent := {x | some x in input.context.list}
few := [x | some x in data.few]
many := [x | some x in data.many]`,
		Data: `{"few": ["f", "e"], "many": ["m", "a", "n", "y", "y", "y"]}`,
	}
	program := c.Prepare(t, New())
	var outputs []eval.Output
	for n := range 3 {
		c.Request = sends(authz.Object{"n": n + 1, "list": sequenceOf(n + 1)})
		out, err := program.Eval(t.Context(), c.Input(t))
		if err != nil {
			t.Fatal(err)
		}
		outputs = append(outputs, out)
	}
	for n, out := range outputs {
		var list []any
		joined, object := "", authz.Object{}
		for i, x := range sequenceOf(n + 1) {
			list = append(list, x)
			object[x.(string)] = 1
			if i > 0 {
				joined += ","
			}
			joined += x.(string)
		}
		want := fmt.Sprint(eval.Output{Allow: true, Deny: []string{"f,e", "m,a,n,y,y,y", joined}, Obligations: authz.Object{"list": list, "set": list, "object": object}})
		if got := fmt.Sprint(out); got != want {
			t.Errorf("evaluation %d yielded\n%s, want\n%s", n, got, want)
		}
	}
}
