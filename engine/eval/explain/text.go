package explain

import (
	"encoding/json"
	"strings"
	"unicode/utf8"

	"github.com/open-policy-agent/opa/v1/ast"
)

// line is a piece of source on one line.
func line(source []byte) string { return strings.Join(strings.Fields(string(source)), " ") }

// cut is a text of at most so many bytes, and what says that there is more.
func cut(text string, most int) string {
	if len(text) <= most {
		return text
	}
	for !utf8.RuneStart(text[most]) {
		most--
	}
	return text[:most] + more
}

const more = "…"

// valueText is a value as compact JSON, of at most so many bytes. A set, which
// JSON does not have, is as in Rego.
func valueText(value ast.Value, most int) string {
	w := writer{most: most}
	w.value(value)
	return cut(w.text.String(), most)
}

// A writer writes a value, and stops where there is enough.
type writer struct {
	text strings.Builder
	most int
}

// full reports whether what is written is more than is wanted.
func (w *writer) full() bool { return w.text.Len() > w.most }

func (w *writer) value(value ast.Value) {
	switch value := value.(type) {
	case ast.String:
		w.quote(string(value))
	case *ast.Array:
		w.list("[", "]", value.Len(), func(i int) { w.value(value.Elem(i).Value) })
	case ast.Set:
		if value.Len() == 0 {
			w.text.WriteString("set()")
			return
		}
		members := value.Slice()
		w.list("{", "}", len(members), func(i int) { w.value(members[i].Value) })
	case ast.Object:
		keys := value.Keys()
		w.list("{", "}", len(keys), func(i int) {
			w.value(keys[i].Value)
			w.text.WriteByte(':')
			w.value(value.Get(keys[i]).Value)
		})
	default:
		w.text.WriteString(value.String())
	}
}

func (w *writer) list(begin, end string, n int, member func(int)) {
	w.text.WriteString(begin)
	for i := range n {
		if w.full() {
			return
		}
		if i > 0 {
			w.text.WriteByte(',')
		}
		member(i)
	}
	w.text.WriteString(end)
}

// quote writes a string, of which more than enough is not looked at.
func (w *writer) quote(text string) {
	if len(text) > w.most {
		text = cut(text, w.most)
	}
	encoder := json.NewEncoder(&trimmed{&w.text})
	encoder.SetEscapeHTML(false)
	_ = encoder.Encode(text) // a string always can be
}

// trimmed leaves out the line's end, which an encoder writes.
type trimmed struct{ to *strings.Builder }

func (t *trimmed) Write(text []byte) (int, error) {
	t.to.WriteString(strings.TrimSuffix(string(text), "\n"))
	return len(text), nil
}
