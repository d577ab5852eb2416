package closure

import (
	"sync"

	"github.com/open-policy-agent/opa/v1/ast"
)

// A neighborhood is a graph of the bundle's data whose nodes are texts: numbers
// stand for them, so that to go from one to the next is to follow a number.
type neighborhood struct {
	object  ast.Object
	once    sync.Once
	numbers map[string]int32 // nil where the graph is none of texts, or too large
	terms   []*ast.Term
	next    [][]int32 // the neighbors of each that are in the graph themselves
}

// maxNeighborhood is how many nodes a graph may have that is numbered: that is
// done within a decision, and takes some milliseconds for so many.
const maxNeighborhood = 20_000

// known reports whether the nodes are numbered, which is done the first time.
func (h *neighborhood) known() bool {
	h.once.Do(h.number)
	return h.numbers != nil
}

func (h *neighborhood) number() {
	if h.object.Len() > maxNeighborhood {
		return
	}
	numbers := make(map[string]int32, h.object.Len())
	odd := h.object.Until(func(key, _ *ast.Term) bool {
		text, isText := key.Value.(ast.String)
		numbers[string(text)] = int32(len(h.terms))
		h.terms = append(h.terms, key)
		return !isText
	})
	if odd {
		return
	}
	h.object.Foreach(func(_, list *ast.Term) {
		var next []int32
		for _, n := range appendNodes(nil, nil, list) {
			if text, isText := n.Value.(ast.String); isText {
				if number, is := numbers[string(text)]; is {
					next = append(next, number)
				}
			}
		}
		h.next = append(h.next, next)
	})
	h.numbers = numbers
}

// A fixedWalk goes through a neighborhood. What it has come to is a reach.
type fixedWalk struct {
	machine *machine
	of      *neighborhood
	found   []int32
	at      int      // the first that has been found and not gone on from
	met     []uint64 // a bit for each node
}

func (w *fixedWalk) forget() {
	for _, n := range w.found {
		w.met[n/64] = 0
	}
	*w = fixedWalk{found: w.found[:0], met: w.met}
}

func (w *fixedWalk) begin(nodes []*ast.Term) {
	if words := (len(w.of.terms) + 63) / 64; len(w.met) < words {
		w.met = make([]uint64, words)
	}
	for _, n := range nodes {
		text, isText := n.Value.(ast.String)
		if number, is := w.of.numbers[string(text)]; isText && is {
			w.meet(number)
		}
	}
	w.machine.work(len(nodes))
}

func (w *fixedWalk) meet(n int32) {
	if w.met[n/64]&(1<<(n%64)) == 0 {
		w.met[n/64] |= 1 << (n % 64)
		w.found = append(w.found, n)
	}
}

// goOn meets the neighbors of the next node. It is false where there is none, or
// the evaluation has ended.
func (w *fixedWalk) goOn() bool {
	if w.at == len(w.found) {
		return false
	}
	next := w.of.next[w.found[w.at]]
	w.at++
	for _, n := range next {
		w.meet(n)
	}
	return w.machine.work(1 + len(next))
}

func (w *fixedWalk) contains(x *ast.Term) bool {
	text, isText := x.Value.(ast.String)
	number, is := w.of.numbers[string(text)]
	if !isText || !is {
		return false
	}
	for w.met[number/64]&(1<<(number%64)) == 0 {
		if !w.goOn() {
			return false
		}
	}
	return true
}

func (w *fixedWalk) all() []*ast.Term {
	for w.goOn() {
	}
	terms := make([]*ast.Term, len(w.found))
	for i, n := range w.found {
		terms[i] = w.of.terms[n]
	}
	return terms
}

// fixedObject is the object that an expression is where no with replaces a part
// of data; nil where that is not known at activation, or is no object.
func (c *coder) fixedObject(e expression) ast.Object {
	var at *ast.Term
	switch e := within(e).(type) {
	case constant:
		at = e.term
	case dot:
		p := pathOf(e)
		names := p.names()
		if !isData(p.root) || len(names) != len(p.keys) || names[0] == directoryName {
			return nil
		}
		at = c.static
		for _, name := range names {
			if at != nil {
				at = inBase(nil, at, ast.InternedTerm(name))
			}
		}
	}
	if at == nil {
		return nil
	}
	object, _ := at.Value.(ast.Object)
	return object
}
