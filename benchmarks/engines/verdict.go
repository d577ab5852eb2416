package engines

import (
	"context"
	"time"

	"github.com/verdictpdp/verdict/api/authz"
	"github.com/verdictpdp/verdict/benchmarks/scenario"
	"github.com/verdictpdp/verdict/engine/eval"
	"github.com/verdictpdp/verdict/engine/pdp"
	"github.com/verdictpdp/verdict/engine/pip"
	"github.com/verdictpdp/verdict/engine/pip/piptest"
	"github.com/verdictpdp/verdict/policy/bundle"
	"github.com/verdictpdp/verdict/policy/rego"
)

// Of is Verdict with one of its evaluators, over package pip on a directory in
// memory.
func Of(evaluator eval.Evaluator) Activator { return verdict{evaluator} }

type verdict struct{ evaluator eval.Evaluator }

// Name is the evaluator's.
func (v verdict) Name() string { return v.evaluator.Name() }

// Activate is what the service does when a bundle is to become active.
func (v verdict) Activate(ctx context.Context, b *bundle.Bundle) error {
	_, err := v.prepare(ctx, b)
	return err
}

func (v verdict) prepare(ctx context.Context, b *bundle.Bundle) (eval.Program, error) {
	policy, err := rego.Compile(b, rego.Options{})
	if err != nil {
		return nil, err
	}
	return v.evaluator.Prepare(ctx, policy)
}

// Open prepares the policy, validates the requests, as the decision point does
// before it evaluates, and fills the cache by asking every question once.
func (v verdict) Open(ctx context.Context, s scenario.Scenario, w *scenario.World) (Point, error) {
	program, err := v.prepare(ctx, w.Bundle)
	if err != nil {
		return nil, err
	}
	e := &evaluation{
		ctx: ctx, program: program, cache: pip.NewCache(pip.Options{}),
		snapshot: directory(w).Latest(), now: w.Now, questions: w.Questions, parts: eval.PartsOf(w.Requests()),
	}
	for _, question := range w.Questions {
		if err := (&eval.Input{Request: question.Request}).Validate(); err != nil {
			return nil, err
		}
	}
	if s.Whole {
		return e.whole(), nil
	}
	return e, nil
}

// directory is a world's directory.
func directory(w *scenario.World) *piptest.Directory {
	changes := make([]authz.Change, 0, len(w.Entities)+len(w.Grants))
	for i := range w.Entities {
		changes = append(changes, authz.Change{PutEntity: &w.Entities[i]})
	}
	for i := range w.Grants {
		changes = append(changes, authz.Change{PutGrant: &w.Grants[i]})
	}
	d := piptest.New(w.Tenant)
	d.Write(changes...)
	return d
}

// An evaluation is Program.Eval on every question.
type evaluation struct {
	ctx       context.Context
	program   eval.Program
	cache     *pip.Cache
	snapshot  *piptest.Snapshot
	now       time.Time
	questions []scenario.Question
	parts     *eval.Parts // knows the contexts that requests share
}

// Decide evaluates the policy, with a reader of its own.
func (e *evaluation) Decide(i int) (bool, error) {
	out, err := e.eval(i)
	return out.Allow && len(out.Deny) == 0, err
}

// Answer is all that the policy yields.
func (e *evaluation) Answer(i int) (Answer, error) {
	out, err := e.eval(i)
	if err != nil {
		return Answer{}, err
	}
	text, err := details(out.Deny, out.Reasons, out.Obligations)
	return Answer{out.Allow && len(out.Deny) == 0, text}, err
}

func (e *evaluation) eval(i int) (eval.Output, error) {
	question := &e.questions[i]
	reader := e.cache.Reader(e.snapshot, pdp.DefaultEntities)
	defer reader.Release()
	in := eval.Input{Request: question.Request, Validated: true, Directory: reader, Now: e.now}
	if question.Sent != nil {
		in.Parts = e.parts
	}
	return e.program.Eval(e.ctx, in)
}

// whole is everything between a request and its decision.
func (e *evaluation) whole() Point {
	return &decision{ctx: e.ctx, questions: e.questions, pdp: pdp.New(pdp.Options{
		Policy: func(string) (pdp.Policy, error) {
			return pdp.Policy{Program: e.program, Revision: "1"}, nil
		},
		Snapshot: func(context.Context, string, authz.Consistency) (pdp.Snapshot, error) {
			return e.snapshot, nil
		},
		Cache:  e.cache,
		Clock:  func() time.Time { return e.now },
		Limits: pdp.Limits{Evaluation: time.Minute}, // a busy machine is not what is measured
	})}
}

// A decision is pdp.Decide on every question.
type decision struct {
	ctx       context.Context
	questions []scenario.Question
	pdp       *pdp.PDP
}

// Decide decides as the service does.
func (d *decision) Decide(i int) (bool, error) {
	made, err := d.decide(i)
	return made.Allowed, err
}

// Answer leaves the details to the evaluation alone: a decision does not tell
// denials from reasons.
func (d *decision) Answer(i int) (Answer, error) {
	made, err := d.decide(i)
	return Answer{Allowed: made.Allowed}, err
}

func (d *decision) decide(i int) (authz.Decision, error) {
	made, err := d.pdp.Decide(d.ctx, d.questions[i].Request, pdp.DecideOptions{})
	if err == nil {
		err = made.Err
	}
	return made, err
}
