package closure

import (
	"fmt"
	"strings"

	"github.com/open-policy-agent/opa/v1/ast"
)

// Rules of one policy are often alike: what a table has told apart is all that
// they differ in. Such bodies have their code in common, which so stays in the
// processor's cache however many rules there are.

// compact numbers the locals of a function's bodies from the first free number
// on, in each anew, so that bodies which are alike are the same. Bodies run one
// after another.
func compact(f *function) {
	fixed := f.fixed()
	most := local(0)
	for l := range fixed {
		most = max(most, l)
	}
	for _, b := range f.blocks() {
		next := local(0)
		numbers := make(map[local]local)
		renumber(b, func(l local) local {
			if fixed[l] {
				return l
			}
			n, known := numbers[l]
			if !known {
				for fixed[next] {
					next++
				}
				n = next
				numbers[l] = n
				most = max(most, n)
				next++
			}
			return n
		})
	}
	f.locals = int(most) + 1
}

// body is the code of a body of a function.
func (c *coder) body(f *function, b *block) step {
	text := &codeText{coder: c, uniform: uniform(f.rules)}
	text.block(b)
	if !text.odd {
		if known := c.shared[text.String()]; known != nil {
			return known
		}
	}
	code := c.cleared(c.block(b), c.unset(f, b))
	if !text.odd {
		c.shared[text.String()] = code
	}
	return code
}

// cleared is the code of a body that clears places first.
func (c *coder) cleared(body step, places []int) step {
	if len(places) == 0 {
		return body
	}
	return func(m *machine) signal {
		for _, place := range places {
			m.slots[place] = nil
		}
		return body(m)
	}
}

// A codeText is what tells the code of bodies apart. It is odd where a body has
// something whose code is not shared.
type codeText struct {
	strings.Builder
	coder   *coder
	uniform bool // all rules of the function yield the same constant
	odd     bool
}

func (t *codeText) block(b *block) {
	for _, s := range b.statements {
		t.statement(s)
	}
	t.WriteByte('.')
}

func (t *codeText) statement(s statement) {
	fmt.Fprintf(t, "%T", s)
	switch s := s.(type) {
	case *assignOnce:
		if !t.uniform || !isConstant(s.value) { // two rules may conflict
			fmt.Fprintf(t, "%v%t", s.at, s.ofKey)
		}
		fmt.Fprintf(t, "%t", t.coder.leaves)
	case *isDefined:
		fmt.Fprintf(t, "%d,%t", t.coder.slot(s.local), s.defined)
	case *leave:
		fmt.Fprintf(t, "%d", s.blocks)
	case *isKind:
		fmt.Fprintf(t, "%d", s.kind)
	case *assign, *keep, *reset, *equal, *differ, *scan, *group, *negate:
	default:
		t.odd = true
	}
	for _, l := range sets(s) {
		fmt.Fprintf(t, " %d", t.coder.slot(l))
	}
	eachOperand(s, func(e expression) expression {
		t.WriteByte(' ')
		t.expression(e)
		return e
	})
	for _, nested := range inner(s) {
		t.block(nested)
	}
	t.WriteByte(';')
}

func (t *codeText) expression(e expression) {
	switch e := e.(type) {
	case read:
		fmt.Fprintf(t, "local %d", t.coder.slot(e.from))
		return
	case constant:
		if !ast.IsScalar(e.term.Value) {
			fmt.Fprintf(t, "collection %p", e.term)
			return
		}
		t.WriteString(e.term.String())
		return
	case call:
		fmt.Fprintf(t, "%p", e.function)
	case callBuiltin:
		t.WriteString(e.name)
		if !quiet(e) {
			fmt.Fprintf(t, "%v", e.at)
		}
	case dot, apart, length, nothing, inputDocument, dataDocument:
		fmt.Fprintf(t, "%T", e)
	default:
		t.odd = true
	}
	t.WriteByte('(')
	eachPart(e, func(part expression) expression {
		t.expression(part)
		t.WriteByte(',')
		return part
	})
	t.WriteByte(')')
}
