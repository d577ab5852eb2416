package directory

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"

	"github.com/verdictpdp/verdict/api/authz"
	"github.com/verdictpdp/verdict/engine/background"
	"github.com/verdictpdp/verdict/engine/store"
)

// Export writes a tenant in the import format, as it is at one revision, which
// it returns: entities by type and id, then grants by id, a canonical line
// each. Importing that into an empty directory, and exporting it again, gives
// the same bytes. The root is left out.
//
// Errors are those of Snapshot, the writer's, and the context's. When the
// revision is no longer kept before all is written, since the writer is slow,
// the error is of kind FailedPrecondition.
func (d *Directory) Export(ctx context.Context, tenant string, c authz.Consistency, w io.Writer) (uint64, error) {
	snapshot, err := d.Snapshot(ctx, tenant, c)
	if err != nil {
		return 0, err
	}
	var types []string
	err = snapshot.EachType(func(typ string) bool {
		types = append(types, typ)
		return true
	})
	snapshot.Close()
	if err != nil {
		return 0, err
	}
	x := &exporter{directory: d, ctx: ctx, tenant: tenant, revision: snapshot.Revision(), w: bufio.NewWriterSize(w, 64<<10), work: d.pace.Begin()}
	for _, typ := range types {
		if err := x.each(func(view *store.View, after string, line func(string, authz.Change) bool) error {
			return view.EachEntity(typ, after, func(r Record) bool {
				return line(r.Ref.ID, authz.Change{PutEntity: &r.Entity})
			})
		}); err != nil {
			return 0, err
		}
	}
	if err := x.each(func(view *store.View, after string, line func(string, authz.Change) bool) error {
		return view.EachGrant(after, func(g authz.Grant) bool {
			return line(g.ID, authz.Change{PutGrant: &g})
		})
	}); err != nil {
		return 0, err
	}
	if err := x.w.Flush(); err != nil {
		return 0, fmt.Errorf("writing the export: %w", err)
	}
	return x.revision, nil
}

// exportBytes is how much of an export is read at once.
const exportBytes = 256 << 10

// An exporter writes lines of a revision. It holds no snapshot while it writes:
// who reads slowly must not keep old versions on disk.
type exporter struct {
	directory *Directory
	ctx       context.Context
	tenant    string
	revision  uint64
	w         *bufio.Writer
	text      []byte
	work      background.Work
}

// each writes the records that read visits: those whose ids come after one,
// with their ids, until line returns false.
func (x *exporter) each(read func(view *store.View, after string, line func(id string, c authz.Change) bool) error) error {
	after := ""
	for {
		if err := x.ctx.Err(); err != nil {
			return err
		}
		full, err := x.read(func(view *store.View, line func(string, authz.Change) bool) error {
			return read(view, after, func(id string, c authz.Change) bool {
				after = id
				return line(id, c)
			})
		})
		if err != nil {
			return err
		}
		if _, err := x.w.Write(x.text); err != nil {
			return fmt.Errorf("writing the export: %w", err)
		}
		if !full {
			return nil
		}
	}
}

// read reads records into the text, until it is full.
func (x *exporter) read(each func(view *store.View, line func(id string, c authz.Change) bool) error) (full bool, err error) {
	select {
	case x.directory.reading <- struct{}{}:
	case <-x.ctx.Done():
		return false, x.ctx.Err()
	}
	defer func() { <-x.directory.reading }()
	snapshot, err := x.directory.readOn(x.tenant, x.revision)
	if err != nil {
		return false, err
	}
	defer snapshot.Close()
	x.text = x.text[:0]
	var ended error
	err = each(snapshot.view(), func(_ string, c authz.Change) bool {
		x.text = AppendLine(x.text, c)
		full = len(x.text) >= exportBytes
		ended = x.work.Rest(x.ctx)
		return !full && ended == nil
	})
	return full, errors.Join(err, ended)
}
