package directory

import (
	"context"
	"errors"
	"slices"

	"github.com/verdictpdp/verdict/api/authz"
	"github.com/verdictpdp/verdict/engine/store"
)

// A rehearsal is the sink that writes nothing: it looks for cycles as a write
// of each batch would, over one revision and the batches before. It remembers
// the entities that got or lost parents.
//
// The guard is asked about the first batch. What it would say of the next rests on all
// that the ones before lead to, which is too much to remember.
//
// Between batches it holds no snapshot: who sends lines slowly must not keep
// old versions on disk.
type rehearsal struct {
	directory *Directory
	ctx       context.Context
	tenant    string
	author    authz.Author
	base      uint64 // the revision
	edges     *edges
	reserved  int64 // of maxRehearsedBytes
	// last is the number of the last line of the first batch, 0 before it has come, and
	// accepted are those of its lines that the guard lets be written.
	last     int
	accepted []parsedLine
}

// maxRehearsedBytes bounds what all validations of a directory that run at once
// remember: the parents of about ten million entities.
const maxRehearsedBytes = 768 << 20

var errRehearsedTooMuch = authz.Errorf(authz.LimitExceeded,
	"validating parents takes more than the %d MiB that all validations at once may take: validate again when no other is running, validate and import the file in parts, or import it without validating it first", maxRehearsedBytes>>20)

// newRehearsal begins a rehearsal on the latest revision; end must be called.
func newRehearsal(ctx context.Context, d *Directory, tenant string, author authz.Author) *rehearsal {
	_, latest := d.Revisions()
	return &rehearsal{directory: d, ctx: ctx, tenant: tenant, author: author, base: latest, edges: newEdges()}
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
	if err := h.ask(batch, atFault); err != nil {
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

// ask asks the guard about lines of the first batch, which may come in parts, but for
// those at fault. Its error is the guard's.
func (h *rehearsal) ask(batch []parsedLine, atFault map[int]string) error {
	guard := h.directory.guard
	if guard == nil || !guard.Asks(h.tenant, h.author) {
		return nil
	}
	if h.last == 0 {
		h.last = batch[len(batch)-1].number
	}
	if batch[0].number > h.last {
		h.accepted = nil
		return nil
	}
	accepted := slices.Clip(h.accepted)
	for _, line := range batch {
		if _, refused := atFault[line.number]; !refused {
			accepted = append(accepted, line)
		}
	}
	_, err := h.directory.store.Rehearse(h.tenant, h.directory.asking(h.ctx, h.author, func(tx *store.Tx) error {
		for i, line := range accepted {
			if err := stillWanted(h.ctx, i); err != nil {
				return err
			}
			if _, err := apply(tx, line.change); err != nil {
				return err
			}
		}
		return nil
	}))
	switch {
	case err == nil:
		h.accepted = accepted
	case authz.KindOf(err) == authz.LimitExceeded && !isGuards(err):
		return nil // a deletion that is written in parts, which nobody has asked about
	}
	return err
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
