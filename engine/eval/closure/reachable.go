package closure

import (
	"github.com/open-policy-agent/opa/v1/ast"
)

// reachableBuiltin is the stand-in of graph.reachable, see package rego.
const reachableBuiltin = "verdict.graph.reachable"

// reachable is the code of graph.reachable. A policy mostly asks whether
// something is among what is reachable, so it comes to a set that goes no further
// than it is asked for, and the graph is read where it stands. Calls is the code
// that makes the set, for operands of wrong types.
//
// For a graph of the bundle's data, what stands next to a node is found once, at
// the first call (BenchmarkScenario/departments-reachable).
func (c *coder) reachable(e callBuiltin, calls value) value {
	graph, begin := c.value(e.args[0]), c.beginnings(e.args[1])
	var fixed *neighborhood
	if object := c.fixedObject(e.args[0]); object != nil {
		fixed = &neighborhood{object: object}
	}
	return func(m *machine) *ast.Term {
		g := graph(m)
		if g == nil {
			return nil
		}
		if l, isLazy := g.Value.(*lazy); isLazy && l.kind != sentLazy {
			if g = l.settle(m); g == nil {
				return nil
			}
		}
		if of, isCollection := kindOf(g); !isCollection || of != objectKind {
			return calls(m)
		}
		base := len(m.walks.nodes)
		if !begin(m) {
			m.walks.nodes = m.walks.nodes[:base]
			if m.err != nil {
				return nil
			}
			return calls(m)
		}
		from := m.walks.nodes[base:]
		b := m.building(setKind)
		if fixed != nil && g.Value == ast.Value(fixed.object) && fixed.known() {
			w := m.walks.fixed.take()
			w.machine, w.of = m, fixed
			w.begin(from)
			b.to = w
		} else {
			w := m.walks.free.take()
			w.machine, w.graph = m, g
			w.begin(from)
			b.to = w
		}
		m.walks.nodes = m.walks.nodes[:base]
		if m.err != nil {
			return nil
		}
		return &b.term
	}
}

// beginnings is the code that puts the nodes to begin with among those of the
// machine's walks. It is false where they are no list of nodes or undefined.
func (c *coder) beginnings(e expression) func(*machine) bool {
	if list, isLiteral := e.(literal); isLiteral && list.kind != objectKind {
		elements := c.settledAll(list.values)
		return func(m *machine) bool {
			for _, element := range elements {
				node := element(m)
				if node == nil {
					return false
				}
				m.walks.nodes = append(m.walks.nodes, node)
			}
			return true
		}
	}
	v := c.value(e)
	return func(m *machine) bool {
		list := v(m)
		if list == nil {
			return false
		}
		of, isCollection := kindOf(list)
		if !isCollection || of == objectKind {
			return false
		}
		m.walks.nodes = appendNodes(m, m.walks.nodes, list)
		return m.err == nil
	}
}
