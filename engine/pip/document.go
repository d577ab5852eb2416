package pip

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"io"
	"strings"

	"github.com/open-policy-agent/opa/v1/ast"

	"github.com/verdictpdp/verdict/engine/eval"
)

// WriteDocument writes all that policies see, {"directory": …}, as JSON with an
// entity a line: by type and id first, then by ref. On that document plain OPA
// evaluates and tests the policies that run here.
func (r *Reader) WriteDocument(ctx context.Context, w io.Writer) error {
	var types []string
	err := r.EachType(ctx, func(typ string) bool {
		types = append(types, typ)
		return true
	})
	if err != nil {
		return err
	}
	d := &documentWriter{w: bufio.NewWriter(w)}
	members := func(typ string, name func(eval.Entity) string) {
		d.fail(r.EachEntity(ctx, typ, func(e eval.Entity) bool {
			value, err := e.Value(ctx)
			d.fail(err)
			if d.err == nil {
				d.member(name(e), value.Value)
			}
			return d.err == nil
		}))
	}
	d.begin()
	d.open("directory")
	for _, typ := range types {
		d.open(typ)
		members(typ, func(e eval.Entity) string { return strings.TrimPrefix(e.Ref(), typ+":") })
		d.end()
	}
	d.open("ref")
	for _, typ := range types {
		members(typ, eval.Entity.Ref)
	}
	d.end()
	d.end()
	d.end()
	return d.finish()
}

// A documentWriter writes nested JSON objects with a member a line, and keeps
// the first error.
type documentWriter struct {
	w     *bufio.Writer
	first bool // the open object has no member yet
	err   error
}

// begin opens an object.
func (d *documentWriter) begin() {
	d.w.WriteByte('{')
	d.first = true
}

// end closes the object opened last.
func (d *documentWriter) end() {
	d.w.WriteString("\n}")
	d.first = false
}

// open begins an object that is a member of the open one.
func (d *documentWriter) open(name string) {
	d.name(name)
	d.begin()
}

func (d *documentWriter) member(name string, value ast.Value) {
	d.name(name)
	plain, err := ast.JSON(value)
	d.fail(err)
	d.json(plain)
}

func (d *documentWriter) name(name string) {
	if !d.first {
		d.w.WriteByte(',')
	}
	d.first = false
	d.w.WriteByte('\n')
	d.json(name)
	d.w.WriteByte(':')
}

func (d *documentWriter) json(v any) {
	text, err := json.Marshal(v)
	d.fail(err)
	d.w.Write(text)
}

func (d *documentWriter) fail(err error) {
	if d.err == nil {
		d.err = err
	}
}

func (d *documentWriter) finish() error {
	d.w.WriteByte('\n')
	return errors.Join(d.err, d.w.Flush())
}
