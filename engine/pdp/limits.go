package pdp

import (
	"cmp"
	"time"
)

// Limits bound what one decision may cost.
type Limits struct {
	// InputBytes bounds the request, estimated as the bytes of its JSON.
	InputBytes int
	// Evaluation bounds the time that the policy runs.
	Evaluation time.Duration
	// Entities bounds how many different entities the policy reads.
	Entities int
}

// The default limits.
const (
	DefaultInputBytes = 1 << 20
	DefaultEvaluation = 100 * time.Millisecond
	DefaultEntities   = 10_000
)

func (l Limits) withDefaults() Limits {
	return Limits{
		InputBytes: cmp.Or(l.InputBytes, DefaultInputBytes),
		Evaluation: cmp.Or(l.Evaluation, DefaultEvaluation),
		Entities:   cmp.Or(l.Entities, DefaultEntities),
	}
}
