package main

import (
	"time"

	"github.com/verdictpdp/verdict/engine/activation"
	"github.com/verdictpdp/verdict/engine/directory"
	"github.com/verdictpdp/verdict/engine/eval"
	"github.com/verdictpdp/verdict/engine/writepolicy"
)

// maxWriteEvaluation is how long a policy may take about a part of a write, where that
// is more than about a decision: nobody waits for it but those who write.
const maxWriteEvaluation = time.Second

// guard asks the tenants' policies about writes.
func (o *pointOptions) guard(active func(tenant string) (*activation.Active, error)) directory.Guard {
	if o.offline {
		return nil
	}
	return writepolicy.New(writepolicy.Options{
		Rules: func(tenant string) (map[string]eval.Rule, error) {
			policy, err := active(tenant)
			if err != nil {
				return nil, err
			}
			return policy.Rules, nil
		},
		Clock: o.clock,
		Limits: writepolicy.Limits{
			Evaluation: max(maxWriteEvaluation, time.Duration(o.config.Limits.Evaluation)),
			Steps:      int64(o.config.Limits.Steps),
			Entities:   int(o.config.Limits.Entities),
			Subjects:   writepolicy.DefaultSubjects,
		},
	})
}
