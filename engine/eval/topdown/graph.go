package topdown

import (
	"errors"
	"slices"

	"github.com/open-policy-agent/opa/v1/ast"
	"github.com/open-policy-agent/opa/v1/topdown"
	"github.com/open-policy-agent/opa/v1/topdown/builtins"

	"github.com/verdictpdp/verdict/policy/rego"
)

// standIns are the functions of the built-ins that package rego puts in the
// place of OPA's. They yield what OPA's do, and stop when they are told to.
var standIns = map[string]*topdown.Builtin{
	rego.Reachable.Name:      {Decl: rego.Reachable, Func: overGraph(ast.ReachableBuiltin.Name, reachable)},
	rego.ReachablePaths.Name: {Decl: rego.ReachablePaths, Func: overGraph(ast.ReachablePathsBuiltin.Name, reachablePaths)},
}

// A walk is one call on a graph, an object of arrays or sets of neighbors.
type walk struct {
	graph  ast.Object
	cancel topdown.Cancel
}

// errStopped ends a walk that was told to stop.
var errStopped = errors.New("told to stop")

// overGraph is a built-in of a graph and its initial nodes. Name is what its
// errors show.
func overGraph(name string, result func(walk, []*ast.Term) (ast.Set, error)) topdown.BuiltinFunc {
	return func(bctx topdown.BuiltinContext, operands []*ast.Term, iter func(*ast.Term) error) error {
		fault := func(code string, err error) error {
			return &topdown.Error{Code: code, Message: name + ": " + err.Error(), Location: bctx.Location}
		}
		graph, err := builtins.ObjectOperand(operands[0].Value, 1)
		if err != nil {
			return fault(topdown.TypeErr, err)
		}
		initial, err := initialNodes(operands[1].Value)
		if err != nil {
			return fault(topdown.TypeErr, err)
		}
		found, err := result(walk{graph, bctx.Cancel}, initial)
		if err != nil {
			return topdown.Halt{Err: fault(topdown.CancelErr, err)}
		}
		return iter(ast.NewTerm(found))
	}
}

// initialNodes are the nodes that a walk begins with.
func initialNodes(operand ast.Value) ([]*ast.Term, error) {
	switch operand.(type) {
	case ast.Set, *ast.Array:
		return neighbors(operand), nil
	default:
		return nil, builtins.NewOperandTypeErr(2, operand, "{array, set}")
	}
}

// neighbors are the members of an array or a set, and none of anything else.
// They must not be changed.
func neighbors(of ast.Value) []*ast.Term {
	switch of := of.(type) {
	case ast.Set:
		return of.Slice()
	case *ast.Array:
		terms := make([]*ast.Term, 0, of.Len())
		of.Foreach(func(term *ast.Term) { terms = append(terms, term) })
		return terms
	default:
		return nil
	}
}

func (w walk) stop() bool { return w.cancel != nil && w.cancel.Cancelled() }

// reachable are the nodes of the graph that the initial ones lead to, and those
// themselves. Each node is looked at once.
func reachable(w walk, initial []*ast.Term) (ast.Set, error) {
	reached, seen := ast.NewSet(), ast.NewSet()
	var queue []*ast.Term
	enqueue := func(nodes []*ast.Term) error {
		for _, node := range nodes {
			if w.stop() {
				return errStopped
			}
			if !seen.Contains(node) {
				seen.Add(node)
				queue = append(queue, node)
			}
		}
		return nil
	}
	err := enqueue(initial)
	for err == nil && len(queue) > 0 {
		node := queue[0]
		queue = queue[1:]
		if next := w.graph.Get(node); next != nil {
			reached.Add(node)
			err = enqueue(neighbors(next.Value))
		}
	}
	return reached, err
}

// reachablePaths are the paths from the initial nodes on, as far as they go
// without coming to a node again. There may be exponentially many.
func reachablePaths(w walk, initial []*ast.Term) (ast.Set, error) {
	paths := ast.NewSet()
	for _, node := range initial {
		edges := w.graph.Get(node)
		if edges == nil {
			continue
		}
		next := neighbors(edges.Value)
		if len(next) == 0 {
			paths.Add(ast.ArrayTerm(node))
		}
		for _, neighbor := range next {
			if err := w.extend([]*ast.Term{node}, neighbor, paths); err != nil {
				return nil, err
			}
		}
	}
	return paths, nil
}

// extend adds the paths that begin with path and go on to node. A path ends
// before a node that is not in the graph, and where an edge leads back to it.
func (w walk) extend(path []*ast.Term, node *ast.Term, paths ast.Set) error {
	if w.stop() {
		return errStopped
	}
	add := func() { paths.Add(ast.ArrayTerm(slices.Clone(path)...)) }
	edges := w.graph.Get(node)
	if edges == nil {
		add()
		return nil
	}
	path = append(path, node)
	next := neighbors(edges.Value)
	if len(next) == 0 {
		add()
	}
	for _, neighbor := range next {
		if slices.ContainsFunc(path, neighbor.Equal) {
			add()
		} else if err := w.extend(path, neighbor, paths); err != nil {
			return err
		}
	}
	return nil
}
