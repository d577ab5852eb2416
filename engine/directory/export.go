package directory

import (
	"bufio"
	"context"
	"fmt"
	"io"

	"github.com/verdictpdp/verdict/api/authz"
)

// Export writes a tenant in the import format, as it is at one revision, which
// it returns: entities by type and id, then grants by id, a canonical line
// each. Importing that into an empty directory, and exporting it again, gives
// the same bytes. The root is left out.
//
// Errors are those of Snapshot, the writer's, and the context's.
func (d *Directory) Export(ctx context.Context, tenant string, c authz.Consistency, w io.Writer) (uint64, error) {
	snapshot, err := d.Snapshot(ctx, tenant, c)
	if err != nil {
		return 0, err
	}
	defer snapshot.Close()
	out := &exporter{ctx: ctx, w: bufio.NewWriterSize(w, 64<<10)}
	if err := out.all(snapshot); err != nil {
		return 0, err
	}
	if err := out.w.Flush(); err != nil {
		return 0, fmt.Errorf("writing the export: %w", err)
	}
	return snapshot.Revision(), nil
}

// An exporter writes lines until something fails.
type exporter struct {
	ctx  context.Context
	w    *bufio.Writer
	line []byte
	err  error
}

func (x *exporter) all(s *Snapshot) error {
	var types []string
	if err := s.EachType(func(typ string) bool {
		types = append(types, typ)
		return true
	}); err != nil {
		return err
	}
	for _, typ := range types {
		err := s.view.EachEntity(typ, "", func(r Record) bool {
			return x.write(authz.Change{PutEntity: &r.Entity})
		})
		if err != nil || x.err != nil {
			return first(err, x.err)
		}
	}
	err := s.view.EachGrant("", func(g authz.Grant) bool {
		return x.write(authz.Change{PutGrant: &g})
	})
	return first(err, x.err)
}

// write writes a line and reports whether to go on.
func (x *exporter) write(c authz.Change) bool {
	x.line = AppendLine(x.line[:0], c)
	if _, err := x.w.Write(x.line); err != nil {
		x.err = fmt.Errorf("writing the export: %w", err)
	} else if err := x.ctx.Err(); err != nil {
		x.err = err
	}
	return x.err == nil
}

func first(errs ...error) error {
	for _, err := range errs {
		if err != nil {
			return err
		}
	}
	return nil
}
