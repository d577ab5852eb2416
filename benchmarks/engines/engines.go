// Package engines holds what is compared on the scenarios: plain OPA, and
// Verdict's own evaluators. One that needs another module, as Cedar does,
// implements Engine there.
//
// Every engine has its world in memory, and the requests in the form that it
// takes, before anything is measured. Start with Engine.
package engines

import (
	"context"
	"encoding/json"
	"time"

	"github.com/verdictpdp/verdict/api/authz"
	"github.com/verdictpdp/verdict/benchmarks/scenario"
	"github.com/verdictpdp/verdict/engine/eval/closure"
	"github.com/verdictpdp/verdict/engine/eval/topdown"
	"github.com/verdictpdp/verdict/policy/bundle"
)

// An Engine is one way to decide.
type Engine interface {
	// Name is a word for the head of a column.
	Name() string
	// Open readies the engine for a world. It is nil without an error where the
	// engine cannot express the scenario.
	Open(ctx context.Context, s scenario.Scenario, w *scenario.World) (Point, error)
}

// A Point is an engine ready to decide the questions of a world.
type Point interface {
	// Decide decides question i, and yields whether it is allowed. This is what
	// is measured.
	Decide(i int) (bool, error)
	// Answer is all that the engine answers to question i.
	Answer(i int) (Answer, error)
}

// Warm asks a point its questions, of which there are so many, for a time before it
// is measured: programs make variants of themselves, and machines, beside the
// decisions.
func Warm(p Point, questions int, during time.Duration) error {
	for i, start := 0, time.Now(); i < questions || time.Since(start) < during; i++ {
		if _, err := p.Decide(i % questions); err != nil {
			return err
		}
	}
	return nil
}

// An Answer is what engines must agree on.
type Answer struct {
	Allowed bool
	// Details are what comes with it, as JSON: why it is denied, reasons and
	// obligations. Nil where the engine knows of none.
	Details []byte
}

// An Activator is an engine that says what it costs to make a policy ready.
type Activator interface {
	Engine
	// Activate compiles a bundle that is read and parsed.
	Activate(ctx context.Context, b *bundle.Bundle) error
}

// All are the engines that the module can run. The last is the one that the
// others are compared with.
func All() []Engine {
	return []Engine{
		OPA{},
		Of(topdown.New()),
		Of(closure.New()),
	}
}

// details is a JSON text that is the same for the same answer.
func details(deny, reasons []string, obligations authz.Object) ([]byte, error) {
	if len(obligations) == 0 {
		obligations = nil
	}
	return json.Marshal([]any{append([]string{}, deny...), append([]string{}, reasons...), obligations})
}
