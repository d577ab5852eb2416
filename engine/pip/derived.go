package pip

import (
	"sync/atomic"

	"github.com/open-policy-agent/opa/v1/ast"

	"github.com/verdictpdp/verdict/engine/eval"
)

// derived is what follows, for one entity, from itself and everything above
// it. It belongs to an epoch; each part is computed when first asked for.
type derived struct {
	epoch   uint64
	closure atomic.Pointer[[]ancestor] // where something below has asked for it
	grants  atomic.Pointer[effective]  // likewise, or where there are own ones
	members [memberCount]atomic.Pointer[ast.Term]
	whole   atomic.Pointer[ast.Term]
	bytes   atomic.Int64 // estimate of the memory held
}

const memberCount = eval.Permissions + 1

// derivedBytes is an estimate of the bytes of what is derived, still empty.
const derivedBytes = 250

// derivedFor is where what is derived for an entry is kept at an epoch.
func (e *entry) derivedFor(epoch uint64) *derived {
	if epoch == 0 {
		return &derived{}
	}
	present := e.derived.Load()
	if present != nil && present.epoch == epoch {
		return present
	}
	d := &derived{epoch: epoch}
	d.bytes.Store(derivedBytes)
	if present == nil || present.epoch < epoch {
		e.derived.Store(d)
	}
	return d
}
