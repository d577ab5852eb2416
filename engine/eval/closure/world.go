package closure

import (
	"github.com/open-policy-agent/opa/v1/ast"
)

// A world is the documents that rules read, and what rules have yielded from
// them. Each with makes another.
type world struct {
	outer *world
	// input is the document input, nil where it is undefined or still the
	// request.
	input     *ast.Term
	isRequest bool // input is the machine's request
	// data is the document data, nil where it is the machine's own.
	data *ast.Term
	// yielded are the values of functions without parameters.
	yielded []yielded
	// answers are the last values of functions and of partial rules on demand.
	answers []answer
	oldest  int
}

// A yielded is what a function came out as.
type yielded struct {
	known bool
	term  *ast.Term
}

// inputTerm is the document input as a value, nil where it is undefined.
func (w *world) inputTerm(m *machine) *ast.Term {
	if w.input == nil && w.isRequest {
		term, err := m.shared.Document(m.request)
		if err != nil {
			m.fail(err)
			return nil
		}
		w.input = term
	}
	return w.input
}

// dataTerm is the document data as a value.
func (w *world) dataTerm(m *machine) *ast.Term {
	if w.data != nil {
		return w.data
	}
	return m.known.everything(m)
}

// enter puts a value in the place of a part of a document, for what is run
// until leave.
func (m *machine) enter(input bool, path []*ast.Term, value *ast.Term) {
	w := m.world
	next := &world{outer: w, input: w.input, isRequest: w.isRequest, data: w.data}
	switch {
	case input:
		next.isRequest = false
		if len(path) == 0 {
			next.input = value
		} else {
			next.input = replaced(settle(m, w.inputTerm(m)), path, settle(m, value))
		}
	case len(path) == 0:
		next.data = value
	default:
		next.data = m.over(w.dataTerm(m), path, value)
	}
	// Values that stand in for documents as they were take back what is known
	// of those.
	for o := w; o != nil; o = o.outer {
		if o.same(m, next) {
			next.yielded, next.isRequest = o.yielded, o.isRequest
			if o.data == nil {
				next.data = nil
			}
			break
		}
	}
	if next.yielded == nil {
		next.yielded = make([]yielded, len(w.yielded))
	}
	m.world = next
}

// same reports whether two worlds have the same documents, not only equal ones.
func (w *world) same(m *machine, other *world) bool {
	if w.input != other.input || w.isRequest != other.isRequest && (w.input == nil || other.input == nil) {
		return false
	}
	return w.data == other.data || w.data == nil && m.known.isEverything(other.data)
}

// leave undoes enter.
func (m *machine) leave() { m.world = m.world.outer }

// replaced is a value with another at a path inside it. What on the way is no
// object becomes one.
func replaced(in *ast.Term, path []*ast.Term, by *ast.Term) *ast.Term {
	if len(path) == 0 {
		return by
	}
	var members [][2]*ast.Term
	var old *ast.Term
	if in != nil {
		if object, isObject := in.Value.(ast.Object); isObject {
			object.Foreach(func(key, value *ast.Term) {
				if key.Equal(path[0]) {
					old = value
				} else {
					members = append(members, [2]*ast.Term{key, value})
				}
			})
		}
	}
	members = append(members, [2]*ast.Term{path[0], replaced(old, path[1:], by)})
	return ast.ObjectTerm(members...)
}
