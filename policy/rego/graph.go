package rego

import (
	"slices"

	"github.com/open-policy-agent/opa/v1/ast"
)

// A walk is one call on a graph, an object of arrays or sets of neighbors.
type walk struct {
	graph ast.Object
	stop  func() bool
}

// overGraph is a built-in of a graph and its initial nodes.
func overGraph(result func(walk, []*ast.Term) (ast.Set, error)) call {
	return func(operands []*ast.Term, stop func() bool) (*ast.Term, error) {
		graph, isObject := operands[0].Value.(ast.Object)
		if !isObject {
			return nil, wrongOperand(1, operands[0], "object")
		}
		switch operands[1].Value.(type) {
		case ast.Set, *ast.Array:
		default:
			return nil, wrongOperand(2, operands[1], "{array, set}")
		}
		found, err := result(walk{graph, stop}, neighbors(operands[1].Value))
		if err != nil {
			return nil, err
		}
		return ast.NewTerm(found), nil
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

// reachable are the nodes of the graph that the initial ones lead to, and those
// themselves. Each node is looked at once.
func reachable(w walk, initial []*ast.Term) (ast.Set, error) {
	reached, seen := ast.NewSet(), ast.NewSet()
	var queue []*ast.Term
	enqueue := func(nodes []*ast.Term) error {
		for _, node := range nodes {
			if w.stop() {
				return ErrStopped
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
	for range 1 + len(path)/16 { // paths are copied, each a node further than the one before
		if w.stop() {
			return ErrStopped
		}
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
