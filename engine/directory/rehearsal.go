package directory

import (
	"context"
	"errors"

	"github.com/verdictpdp/verdict/api/authz"
)

// A rehearsal is the sink that writes nothing: it looks for cycles as a write
// of each batch would, over one revision and the batches before. It remembers
// the entities that got or lost parents.
//
// Between batches it holds no snapshot: who sends lines slowly must not keep
// old versions on disk.
type rehearsal struct {
	directory *Directory
	ctx       context.Context
	tenant    string
	base      uint64 // the revision
	edges     *edges
	reserved  int64 // of maxRehearsedBytes
}

// maxRehearsedBytes bounds what all validations of a directory that run at once
// remember: the parents of about ten million entities.
const maxRehearsedBytes = 768 << 20

var errRehearsedTooMuch = authz.Errorf(authz.LimitExceeded,
	"validating parents takes more than the %d MiB that all validations at once may take: validate again when no other is running, validate and import the file in parts, or import it without validating it first", maxRehearsedBytes>>20)

// newRehearsal begins a rehearsal on the latest revision; end must be called.
func newRehearsal(ctx context.Context, d *Directory, tenant string) *rehearsal {
	_, latest := d.Revisions()
	return &rehearsal{directory: d, ctx: ctx, tenant: tenant, base: latest, edges: newEdges()}
}

func (h *rehearsal) end() { h.directory.rehearsed.Add(-h.reserved) }

func (h *rehearsal) put(batch []parsedLine, _ bool) (result, error) {
	snapshot, err := h.directory.readOn(h.tenant, h.base)
	if err != nil {
		return result{}, err
	}
	defer snapshot.Close()
	parentsOf := func(ref authz.EntityRef) ([]authz.EntityRef, error) {
		if parents, set := h.edges.parentsOf(ref); set {
			return parents, nil
		}
		return snapshot.parentsOf(ref)
	}
	atFault, err := linesAtFault(h.ctx, batch, parentsOf)
	if err != nil {
		return result{}, err
	}
	for _, line := range batch {
		ref, parents, edges := edgesOf(line.change)
		if _, refused := atFault[line.number]; refused || !edges {
			continue
		}
		if len(parents) == 0 { // that is so already of most, and is not remembered
			before, err := parentsOf(ref)
			if err != nil {
				return result{}, err
			}
			if len(before) == 0 {
				continue
			}
		}
		h.edges.set(ref, parents)
	}
	return result{refused: inOrder(atFault)}, h.reserve()
}

// reserve counts what is remembered.
func (h *rehearsal) reserve() error {
	more := h.edges.bytes() - h.reserved
	h.reserved += more
	if h.directory.rehearsed.Add(more) > maxRehearsedBytes {
		return errRehearsedTooMuch
	}
	return nil
}

// endsImport reports whether an error of kind LimitExceeded is none of the
// batch alone, so that smaller batches do not help.
func endsImport(err error) bool { return errors.Is(err, errRehearsedTooMuch) }
