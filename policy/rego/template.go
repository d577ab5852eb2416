package rego

import (
	"encoding/json"
	"fmt"
	"maps"
	"strconv"
	"strings"
	"text/template"
	"text/template/parse"

	"github.com/open-policy-agent/opa/v1/ast"
)

// rendered is a template filled in with the members of an object, as OPA's
// strings.render_template does it: by Go's templates, without methods. What OPA
// calls runs to its end, though, whatever it ranges over. This asks stop before
// each element, each template in a template and each piece of text, by way of
// nodes that are put into the template's tree and of functions in the place of
// those that make text.
func rendered(operands []*ast.Term, stop func() bool) (*ast.Term, error) {
	text, isText := operands[0].Value.(ast.String)
	if !isText {
		return nil, wrongOperand(1, operands[0], "string")
	}
	variables, isObject := operands[1].Value.(ast.Object)
	if !isObject {
		return nil, wrongOperand(2, operands[1], "object")
	}
	r := &renderer{stop: stop}
	written, err := r.render(string(text), variables)
	switch {
	case r.stopped:
		return nil, ErrStopped
	case err != nil:
		return nil, err
	}
	return ast.StringTerm(strings.ReplaceAll(written, "<no value>", "<undefined>")), nil
}

// A renderer is one call.
type renderer struct {
	stop    func() bool
	stopped bool
	full    []string        // pieces of what is written
	last    strings.Builder // the piece that is written to
}

func (r *renderer) render(text string, variables ast.Object) (string, error) {
	if err := r.pay(len(text)); err != nil {
		return "", err
	}
	if err := r.payFor(variables); err != nil {
		return "", err
	}
	var values map[string]any
	if err := ast.As(variables, &values); err != nil {
		return "", err
	}
	filled, err := template.New("template").Funcs(r.functions()).Parse(text)
	if err != nil {
		return "", err
	}
	for _, t := range filled.Templates() {
		if t.Tree != nil && t.Root != nil {
			stepIn(t.Root, stepsPerTemplate)
			putSteps(t.Root)
		}
	}
	// The text cannot call it: its functions were looked up when it was parsed.
	filled.Funcs(template.FuncMap{stepName: func(steps int) (string, error) { return "", r.pay(perStep * (steps - 1)) }})
	if err := filled.Execute(r, withoutMethods(values)); err != nil {
		return "", err
	}
	return strings.Join(append(r.full, r.last.String()), ""), nil
}

// perStep is how many bytes of text a step stands for.
const perStep = 64

// pay asks whether to stop, as often as so many bytes of text take.
func (r *renderer) pay(bytes int) error {
	for range 1 + bytes/perStep {
		if r.stopped = r.stopped || r.stop(); r.stopped {
			return ErrStopped
		}
	}
	return nil
}

// payFor asks for each value in another. One that stands in many places counts in
// each: so it does in the text that OPA reads it from.
func (r *renderer) payFor(v ast.Value) error {
	var err error
	visit := func(terms ...*ast.Term) bool {
		for _, t := range terms {
			if err == nil {
				err = r.payFor(t.Value)
			}
		}
		return err != nil
	}
	switch v := v.(type) {
	case ast.String:
		return r.pay(len(v))
	case ast.Number:
		return r.pay(len(v))
	case *ast.Array:
		v.Until(func(element *ast.Term) bool { return visit(element) })
	case ast.Set:
		v.Until(func(member *ast.Term) bool { return visit(member) })
	case ast.Object:
		v.Until(func(key, value *ast.Term) bool { return visit(key, value) })
	}
	if err == nil {
		err = r.pay(0)
	}
	return err
}

// pieceBytes is how long a piece is at least, but for the last.
const pieceBytes = 64 << 10

// Write writes what the template makes, in pieces: memory that grew with one text
// would leave several times as much behind.
func (r *renderer) Write(text []byte) (int, error) {
	if err := r.pay(len(text)); err != nil {
		return 0, err
	}
	if r.last.Len() >= pieceBytes {
		r.full = append(r.full, r.last.String())
		r.last.Reset()
	}
	return r.last.Write(text)
}

// functions are those of Go's templates that make text of their operands, with
// an account of how much that can be before they make it.
func (r *renderer) functions() template.FuncMap {
	const escaped = 6 // bytes at most of one
	counted := func(make func(...any) string) func(...any) (string, error) {
		return func(operands ...any) (string, error) {
			size, err := r.size(operands)
			if err == nil {
				err = r.pay(escaped * size)
			}
			if err != nil {
				return "", err
			}
			return make(operands...), nil
		}
	}
	return template.FuncMap{
		"print": counted(fmt.Sprint), "println": counted(fmt.Sprintln), "printf": r.printf,
		"html": counted(template.HTMLEscaper), "js": counted(template.JSEscaper), "urlquery": counted(template.URLQueryEscaper),
	}
}

// printf may write any of its operands for each verb, as wide as the verb says.
func (r *renderer) printf(format string, operands ...any) (string, error) {
	const quoted = 10 // bytes at most of one
	size, err := r.size(operands)
	if err != nil {
		return "", err
	}
	most := quoted*(size+1) + 2*widest(format) // a width and a precision
	for range strings.Count(format, "%") {
		if err := r.pay(most); err != nil {
			return "", err
		}
	}
	for i, operand := range operands {
		if n, isNumber := operand.(number); isNumber {
			operands[i] = json.Number(n) // whose name fmt shows where the verb does not fit
		}
	}
	return fmt.Sprintf(format, operands...), nil
}

// widest is the largest number in a format, as far as fmt takes it, which is any
// where an operand says it.
func widest(format string) int {
	const most = 1_000_000
	if strings.Contains(format, "*") {
		return most
	}
	isDigit := func(c rune) bool { return '0' <= c && c <= '9' }
	widest := 0
	for digits := range strings.FieldsFuncSeq(format, func(c rune) bool { return !isDigit(c) }) {
		n, err := strconv.Atoi(digits)
		if err != nil || n > most {
			return most
		}
		widest = max(widest, n)
	}
	return widest
}

// size is about how many bytes a value takes as text.
func (r *renderer) size(v any) (int, error) {
	size := 16
	add := func(text string, in any) error {
		n, err := r.size(in)
		size += len(text) + n
		return err
	}
	if err := r.pay(0); err != nil {
		return 0, err
	}
	switch v := v.(type) {
	case string:
		size += len(v)
	case number:
		size += len(v)
	case []any:
		for _, element := range v {
			if err := add("", element); err != nil {
				return 0, err
			}
		}
	case map[string]any:
		for key, value := range v {
			if err := add(key, value); err != nil {
				return 0, err
			}
		}
	}
	return size, nil
}

// A number is a json.Number without methods, which a template could call.
type number string

// withoutMethods is a value with such numbers, in the place of the others.
func withoutMethods(v any) any {
	switch v := v.(type) {
	case json.Number:
		return number(v)
	case []any:
		for i := range v {
			v[i] = withoutMethods(v[i])
		}
	case map[string]any:
		for key := range maps.Keys(v) {
			v[key] = withoutMethods(v[key])
		}
	}
	return v
}

// stepName is the function that asks whether to stop, so many times. It yields
// the empty text.
const stepName = "step"

// A template in a template takes some kilobytes of the stack, and may be in
// itself.
const stepsPerTemplate = 64

// stepIn has a list ask first.
func stepIn(list *parse.ListNode, steps int) {
	functions := template.FuncMap{stepName: func(int) string { return "" }}
	asking := template.Must(template.New("").Funcs(functions).Parse(fmt.Sprintf("{{%s %d}}", stepName, steps)))
	list.Nodes = append([]parse.Node{asking.Root.Nodes[0]}, list.Nodes...)
}

// putSteps has what stands in a list ask wherever it is gone through repeatedly.
func putSteps(list *parse.ListNode) {
	if list == nil {
		return
	}
	for _, node := range list.Nodes {
		switch node := node.(type) {
		case *parse.IfNode:
			putSteps(node.List)
			putSteps(node.ElseList)
		case *parse.WithNode:
			putSteps(node.List)
			putSteps(node.ElseList)
		case *parse.RangeNode:
			stepIn(node.List, 1)
			putSteps(node.List)
			putSteps(node.ElseList)
		}
	}
}
