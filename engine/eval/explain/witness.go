package explain

import (
	"context"

	"github.com/verdictpdp/verdict/api/authz"
	"github.com/verdictpdp/verdict/engine/eval"
)

// A Witness is a directory that notes what is read from it. How much that may be
// is bounded by the directory.
type Witness struct {
	eval.Directory
	read []authz.Fact
	seen map[string]bool
}

// Entity reads one entity and notes whether it is known.
func (w *Witness) Entity(ctx context.Context, typ, id string) (eval.Entity, error) {
	e, err := w.Directory.Entity(ctx, typ, id)
	if err == nil {
		w.note(authz.EntityRef{Type: typ, ID: id}.String(), e != nil)
	}
	return e, err
}

// EachEntity reads all entities of a type and notes each.
func (w *Witness) EachEntity(ctx context.Context, typ string, visit func(eval.Entity) bool) error {
	return w.Directory.EachEntity(ctx, typ, func(e eval.Entity) bool {
		w.note(e.Ref(), true)
		return visit(e)
	})
}

func (w *Witness) note(ref string, known bool) {
	if w.seen[ref] {
		return
	}
	if w.seen == nil {
		w.seen = make(map[string]bool)
	}
	w.seen[ref] = true
	w.read = append(w.read, authz.Fact{Ref: ref, Known: known})
}

// Facts are the entities that were read.
type Facts struct {
	Told    []authz.Fact // never nil
	LeftOut int          // how many more there are
}

// And is what either has noted, what w has first.
func (w *Witness) And(other *Witness) Facts {
	for _, fact := range other.read {
		w.note(fact.Ref, fact.Known)
	}
	told := min(len(w.read), maxFacts)
	return Facts{append([]authz.Fact{}, w.read[:told]...), len(w.read) - told}
}
