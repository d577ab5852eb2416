package evaltest

import (
	"fmt"

	"github.com/verdictpdp/verdict/api/authz"
)

// graphCases are about the built-ins that walk graphs.
func graphCases() []Case {
	layered := request()
	layered.Context = authz.Object{"graph": layers(25)}
	wrong := request()
	wrong.Context = authz.Object{"nodes": "a0"}
	return []Case{
		{
			Name:    "what is reachable, by however many ways",
			Rego:    `allow if count(graph.reachable(input.context.graph, {"a0"})) == 49`, // a0, and two nodes of each of 24 layers
			Request: layered,
			Want:    allowed(),
		},
		{
			Name: "what is reachable, from arrays and sets, by cycles and to missing nodes",
			Rego: `allow if graph.reachable(network, ["a", "x"]) == {"a", "b", "c"}
network := {"a": {"b", "gone"}, "b": ["c"], "c": ["a"], "d": []}`,
			Want: allowed(),
		},
		{
			Name: "paths end at leaves, before missing nodes and where they meet themselves",
			Rego: `allow if graph.reachable_paths(network, {"a"}) == {["a", "b", "c"], ["a", "d"], ["a"]}
network := {"a": {"b", "gone", "d"}, "b": ["c"], "c": ["a"], "d": []}`,
			Want: allowed(),
		},
		{
			Name: "a graph's built-in replaced by with",
			Rego: `allow if count(graph.reachable({}, [])) == 1 with graph.reachable as stub
stub(_, _) := {"x"}`,
			Want: allowed(),
		},
		{
			Name: "a graph's built-in put in place of a function",
			Rego: `allow if f({"a": []}, ["a"]) == {"a"} with f as graph.reachable
f(_, _) := set()`,
			Want: allowed(),
		},
		{
			Name:    "nodes that are no list of nodes",
			Rego:    `allow if count(graph.reachable({}, input.context.nodes)) == 0`,
			Request: wrong,
			Kind:    authz.Evaluation, Text: "graph.reachable: operand 2 must be {array, set} but got string",
		},
	}
}

// layers is a graph of two nodes a layer, each with edges to both of the next.
func layers(n int) authz.Object {
	graph := authz.Object{}
	for i := range n {
		next := []any{fmt.Sprintf("a%d", i+1), fmt.Sprintf("b%d", i+1)}
		graph[fmt.Sprintf("a%d", i)], graph[fmt.Sprintf("b%d", i)] = next, next
	}
	return graph
}
