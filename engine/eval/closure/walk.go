package closure

import (
	"github.com/open-policy-agent/opa/v1/ast"

	"github.com/verdictpdp/verdict/engine/eval/closure/native"
)

// A walk goes through a graph, an object of arrays or sets of neighbors, the
// nodes that are next to the beginning first. What it has come to is a reach.
type walk struct {
	machine *machine
	graph   *ast.Term
	found   []node
	at      int                 // the first that has been found and not gone on from
	texts   map[string]struct{} // those found that are texts, where there are many
	others  ast.Set             // those found that are not; nil without any
	room    []*ast.Term         // for the neighbors of a node
}

// A node is one that is in the graph, and what stands next to it: a term, or an
// array that was sent.
type node struct {
	term *ast.Term
	next any
}

// walks are those that a machine has made, to be used again.
type walks struct {
	nodes []*ast.Term // to begin with, for the time that takes
	free  pool[walk]
	fixed pool[fixedWalk]
}

func (w *walks) forget() {
	if w.nodes = w.nodes[:0]; cap(w.nodes) > maxKept {
		w.nodes = nil
	}
	clear(w.nodes[:cap(w.nodes)])
	w.free.forget((*walk).forget)
	w.fixed.forget((*fixedWalk).forget)
}

func (w *walk) forget() {
	if cap(w.found) > maxKept || cap(w.room) > maxKept || len(w.texts) > maxKept {
		*w = walk{}
		return
	}
	clear(w.found)
	clear(w.room[:cap(w.room)])
	clear(w.texts)
	*w = walk{found: w.found[:0], room: w.room[:0], texts: w.texts}
}

// begin begins at nodes.
func (w *walk) begin(nodes []*ast.Term) {
	for _, n := range nodes {
		w.meet(n)
	}
}

// meet notes a node that has not been met before, if it is in the graph.
func (w *walk) meet(n *ast.Term) {
	if !w.machine.step() || w.met(n) {
		return
	}
	next, is := w.next(n)
	if !is {
		return
	}
	w.found = append(w.found, node{n, next})
	text, isText := n.Value.(ast.String)
	switch {
	case !isText:
		if w.others == nil {
			w.others = ast.NewSet()
		}
		w.others.Add(n)
	case len(w.texts) > 0:
		w.texts[string(text)] = struct{}{}
	case len(w.found) > fewMembers:
		if w.texts == nil {
			w.texts = make(map[string]struct{})
		}
		for _, present := range w.found {
			if text, isText := present.term.Value.(ast.String); isText {
				w.texts[string(text)] = struct{}{}
			}
		}
	}
}

// met reports whether a node has been met that is in the graph.
func (w *walk) met(n *ast.Term) bool {
	text, isText := n.Value.(ast.String)
	if !isText {
		return w.others != nil && w.others.Contains(n)
	}
	if len(w.texts) > 0 {
		_, is := w.texts[string(text)]
		return is
	}
	for i := range w.found {
		if native.Equal(w.found[i].term, n) {
			return true
		}
	}
	return false
}

// next is what stands next to a node, and whether that is in the graph.
func (w *walk) next(n *ast.Term) (any, bool) {
	if l, isLazy := w.graph.Value.(*lazy); isLazy {
		text, isText := n.Value.(ast.String)
		if !isText {
			return nil, false
		}
		return memberSent(l.sent, string(text))
	}
	next := lookUp(w.machine, w.graph, n)
	return next, next != nil
}

// goOn meets the neighbors of the next node. It is false where there is none, or
// the evaluation has ended.
func (w *walk) goOn() bool {
	if w.at == len(w.found) || w.machine.err != nil {
		return false
	}
	next := w.found[w.at].next
	w.at++
	if list, isSent := next.([]any); isSent {
		for _, element := range list {
			// The names of what was sent are texts.
			if text, isText := element.(string); isText {
				w.meet(w.machine.texts.term(text))
			} else if !w.machine.step() {
				return false
			}
		}
		return w.machine.err == nil
	}
	if list, isTerm := next.(*ast.Term); isTerm {
		w.room = appendNodes(w.machine, w.room[:0], list)
		for _, n := range w.room {
			w.meet(n)
		}
	}
	return w.machine.err == nil
}

// appendNodes appends the members of an array or a set, and none of anything
// else.
func appendNodes(m *machine, nodes []*ast.Term, list *ast.Term) []*ast.Term {
	of, isCollection := kindOf(list)
	if !isCollection || of == objectKind {
		return nodes
	}
	if b, isBuilding := list.Value.(*building); isBuilding {
		return append(nodes, b.all()...)
	}
	if list = settle(m, list); list == nil {
		return nodes
	}
	switch v := list.Value.(type) {
	case *ast.Array:
		for i := range v.Len() {
			nodes = append(nodes, v.Elem(i))
		}
	case ast.Set:
		nodes = append(nodes, v.Slice()...)
	}
	return nodes
}

func (w *walk) contains(x *ast.Term) bool {
	if _, is := w.next(x); !is {
		return false
	}
	if w.met(x) {
		return true
	}
	for {
		before := len(w.found)
		if !w.goOn() {
			return false
		}
		for _, n := range w.found[before:] {
			if native.Equal(n.term, x) {
				return true
			}
		}
	}
}

func (w *walk) all() []*ast.Term {
	for w.goOn() {
	}
	terms := make([]*ast.Term, len(w.found))
	for i, n := range w.found {
		terms[i] = n.term
	}
	return terms
}
