package pip

import (
	"sync/atomic"

	"github.com/open-policy-agent/opa/v1/ast"
)

// derived is what follows, for one entity, from itself and everything above
// it. It belongs to an epoch; each part is computed when first asked for. An
// entity that nothing stands below finds most of it in its only parent's.
type derived struct {
	entry       *entry
	epoch       uint64
	bytes       atomic.Int64 // estimate of the memory held
	closure     atomic.Pointer[closure]
	grants      atomic.Pointer[grantSet]
	permissions atomic.Pointer[permissions]
	// Members as a whole, and all of them.
	ancestors, distances, whole atomic.Pointer[ast.Term]
}

// derivedBytes is an estimate of the bytes of what is derived, still empty.
const derivedBytes = 80

// derivedAt is where what is derived for an entry is kept at an epoch.
func (e *entry) derivedAt(epoch uint64) *derived {
	if epoch == 0 {
		return &derived{entry: e}
	}
	for {
		present := e.derived.Load()
		if present != nil && present.epoch == epoch {
			return present
		}
		d := &derived{entry: e, epoch: epoch}
		d.bytes.Store(derivedBytes)
		if present != nil && present.epoch > epoch {
			return d
		}
		if e.derived.CompareAndSwap(present, d) {
			e.grown.Store(true)
			return d
		}
	}
}

// add counts what has come to be derived.
func (d *derived) add(bytes int) {
	d.bytes.Add(int64(bytes))
	d.entry.grown.Store(true)
}

// remember keeps a term in its place, and counts it, unless there is one.
func (d *derived) remember(place *atomic.Pointer[ast.Term], term *ast.Term, bytes int) *ast.Term {
	if !place.CompareAndSwap(nil, term) {
		return place.Load()
	}
	d.add(bytes)
	return term
}
