package pdp

import (
	"cmp"
	"time"

	"github.com/verdictpdp/verdict/engine/eval"
)

// Limits bound what a decision, or a batch of them, may cost.
type Limits struct {
	// InputBytes bounds the request, estimated as the bytes of its JSON.
	InputBytes int
	// Evaluation bounds the time that the policy runs.
	Evaluation time.Duration
	// Steps bounds the work of the policy, and the memory with it, as
	// eval.Input.Steps: the same on every machine, however busy.
	Steps int64
	// Entities bounds how many different entities the policy reads.
	Entities int
	// Batch bounds the time that one batch takes, waiting for its revision
	// aside. The requests that it has no time for are denied.
	Batch time.Duration
	// Search bounds the time that one page of a search takes, waiting for its revision
	// aside. A page that it has no time to fill has a next one. A caller with less time
	// has its page after three quarters of that.
	Search time.Duration
	// Wait bounds how long a request waits for the revision that it is to be
	// decided at least at. The caller's own deadline may be earlier.
	Wait time.Duration
}

// The default limits.
const (
	DefaultInputBytes = 1 << 20
	DefaultEvaluation = 100 * time.Millisecond
	DefaultSteps      = eval.DefaultSteps
	DefaultEntities   = 10_000
	DefaultBatch      = 5 * time.Second
	DefaultSearch     = 2 * time.Second
	DefaultWait       = 30 * time.Second
)

func (l Limits) withDefaults() Limits {
	return Limits{
		InputBytes: cmp.Or(l.InputBytes, DefaultInputBytes),
		Evaluation: cmp.Or(l.Evaluation, DefaultEvaluation),
		Steps:      cmp.Or(l.Steps, DefaultSteps),
		Entities:   cmp.Or(l.Entities, DefaultEntities),
		Batch:      cmp.Or(l.Batch, DefaultBatch),
		Search:     cmp.Or(l.Search, DefaultSearch),
		Wait:       cmp.Or(l.Wait, DefaultWait),
	}
}
