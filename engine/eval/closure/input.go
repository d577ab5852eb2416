package closure

import (
	"slices"
	"strings"

	"github.com/open-policy-agent/opa/v1/ast"

	"github.com/verdictpdp/verdict/api/authz"
)

// A text is the code of an expression whose value is wanted as a string. It is
// false where the value is undefined or no string.
type text func(*machine) (string, bool)

// A field is a part of a request that is always a string.
type field func(*authz.Request) string

var fields = map[string]field{
	"tenant":        func(r *authz.Request) string { return r.Tenant },
	"subject.type":  func(r *authz.Request) string { return r.Subject.Type },
	"subject.id":    func(r *authz.Request) string { return r.Subject.ID },
	"action.name":   func(r *authz.Request) string { return r.Action.Name },
	"resource.type": func(r *authz.Request) string { return r.Resource.Type },
	"resource.id":   func(r *authz.Request) string { return r.Resource.ID },
}

// fieldName is the name of a field of a request by the names on the way to it;
// empty where that is none, for they have no dots in them.
func fieldName(names []string) string {
	for _, name := range names {
		if strings.Contains(name, ".") {
			return ""
		}
	}
	return strings.Join(names, ".")
}

// objects are the parts of a request that are objects.
var objects = map[string]func(*authz.Request) authz.Object{
	"subject.properties":  func(r *authz.Request) authz.Object { return r.Subject.Properties },
	"action.properties":   func(r *authz.Request) authz.Object { return r.Action.Properties },
	"resource.properties": func(r *authz.Request) authz.Object { return r.Resource.Properties },
	"context":             func(r *authz.Request) authz.Object { return r.Context },
}

// A part is what a request or a document has at a path, as a value that is made once.
type part struct {
	known bool
	term  *ast.Term
}

// inInput is the code of a path of names in the document input. Of what was sent, a
// request or a document, it is read where it stands, and once; everywhere is the code
// of that for any other input.
func (c *coder) inInput(names []string, everywhere value) value {
	if len(names) == 0 {
		return everywhere
	}
	made := c.fromRequest(names)
	place, names := c.part(names), slices.Clone(names)
	return func(m *machine) *ast.Term {
		isDocument := m.document != nil && m.world.input == m.plain.input
		if !isDocument && (made == nil || !m.world.isRequest) {
			return everywhere(m)
		}
		p := &m.parts[place]
		switch {
		case p.known:
		case isDocument:
			*p = part{true, m.sent(m.document, names)}
		default:
			*p = part{true, made(m)}
		}
		return p.term
	}
}

// part is the place of a path among the parts of a request.
func (c *coder) part(names []string) int {
	key := strings.Join(names, "\x00")
	place, known := c.parts[key]
	if !known {
		place = len(c.parts)
		c.parts[key] = place
	}
	return place
}

// fromRequest is the code that makes the value at a path of a request; nil
// where the path is none that a request has its own place for.
func (c *coder) fromRequest(names []string) value {
	if f := fields[fieldName(names)]; f != nil {
		constants := c.constants
		return func(m *machine) *ast.Term {
			text := f(m.request)
			if shared := constants[text]; shared != nil {
				return shared
			}
			return m.texts.term(text)
		}
	}
	for n := 1; n <= min(2, len(names)); n++ {
		if object := objects[fieldName(names[:n])]; object != nil {
			return inObject(fieldName(names[:n]), object, slices.Clone(names[n:]))
		}
	}
	return nil
}

// inObject is the code of a path in one of the objects of a request. Where
// requests share what they send, it is converted once for all of them;
// otherwise it is read as it was sent.
func inObject(field string, object func(*authz.Request) authz.Object, names []string) value {
	keys := make([]*ast.Term, len(names))
	for i, name := range names {
		keys[i] = ast.InternedTerm(name)
	}
	return func(m *machine) *ast.Term {
		sent := object(m.request)
		if !m.shared.Shares(sent) {
			return m.sent(sent, names)
		}
		term, err := m.shared.Object(field, sent)
		if err != nil {
			m.fail(err)
			return nil
		}
		for _, key := range keys {
			if term = lookUp(m, term, key); term == nil {
				return nil
			}
		}
		return term
	}
}

// inRequestObject asks one of the objects of a request for a name, where an
// expression is one; nil for other expressions.
func (c *coder) inRequestObject(e expression) func(m *machine, name string) bool {
	d, isDot := e.(dot)
	if !isDot {
		return nil
	}
	p := pathOf(d)
	names := p.names()
	object := objects[fieldName(names)]
	if _, inInput := p.root.(inputDocument); !inInput || len(names) != len(p.keys) || object == nil {
		return nil
	}
	return func(m *machine, name string) bool {
		_, has := object(m.request)[name]
		return has
	}
}

// text is the code of an expression as a string, where that takes less than its
// value: a field of the request, or a constant. It is nil for others.
func (c *coder) text(e expression) text {
	if constant, isText := constantText(e); isText {
		return func(*machine) (string, bool) { return constant, true }
	}
	d, isDot := e.(dot)
	if !isDot {
		return nil
	}
	p := pathOf(d)
	names := p.names()
	f := fields[fieldName(names)]
	if _, inInput := p.root.(inputDocument); !inInput || len(names) != len(p.keys) || f == nil {
		return nil
	}
	everywhere := c.value(e)
	return func(m *machine) (string, bool) {
		if m.world.isRequest {
			return f(m.request), true
		}
		term := everywhere(m)
		if term == nil {
			return "", false
		}
		text, isText := term.Value.(ast.String)
		return string(text), isText
	}
}
