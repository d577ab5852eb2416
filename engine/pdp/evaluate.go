package pdp

import (
	"context"
	"slices"
	"time"

	"go.uber.org/zap"

	"github.com/verdictpdp/verdict/api/authz"
	"github.com/verdictpdp/verdict/engine/eval"
	"github.com/verdictpdp/verdict/engine/panics"
)

// evaluate runs the policy within the limits, from a time on, on a request that
// was inspected. A panic is an error of kind Internal.
func (p *PDP) evaluate(ctx context.Context, on *pin, start time.Time, request *authz.Request, size int, explain bool) (output eval.Output, err error) {
	defer panics.Catch("evaluation", &err)
	if err := p.checkSize(size); err != nil {
		return eval.Output{}, err
	}
	if explainer, prepares := on.policy.Program.(eval.Explainer); prepares && explain {
		explainer.PrepareExplaining()
		start = time.Now()
	}
	budget := newBudget(ctx, start, p.limits.Evaluation)
	defer budget.release()
	reader := p.cache.Reader(on.snapshot, p.limits.Entities)
	in := p.input(on, request, reader)
	in.Explain = explain
	output, err = on.policy.Program.Eval(budget, in)
	// After a panic it is not: that may have left it in any state.
	reader.Release()
	if err == nil && !explain { // explaining, which comes after deciding, may use up the time
		err = budget.Err()
	}
	if err != nil {
		return eval.Output{Explanation: output.Explanation}, overTime(ctx, budget, p.limits.Evaluation, err)
	}
	return output, nil
}

// input is what a request that was inspected is evaluated on.
func (p *PDP) input(on *pin, request *authz.Request, directory eval.Directory) eval.Input {
	return eval.Input{
		Request:   request,
		Validated: true, // see inspect
		Parts:     on.parts,
		Directory: directory,
		Now:       on.now,
		Steps:     p.limits.Steps,
	}
}

// checkSize refuses what is too large to be evaluated.
func (p *PDP) checkSize(size int) error {
	if size > p.limits.InputBytes {
		return authz.Exceeded(authz.InputLimit, "the request is larger than the input limit of %d bytes: send less, and keep what policies need in the directory", p.limits.InputBytes)
	}
	return nil
}

// overTime is the error of an evaluation: where its own time was over and not the
// caller's, the one that says so.
func overTime(ctx context.Context, budget *budget, within time.Duration, err error) error {
	if ctx.Err() == nil && authz.KindOf(err) == authz.DeadlineExceeded && budget.Err() != nil {
		return authz.Exceeded(authz.EvaluationLimit, "the policy did not come to its end within the evaluation time %v: let it read by id instead of iterating, or raise the limit", within)
	}
	return err
}

// ask asks a rule of the policy for its value on an input of a size that was
// inspected, within the limits of a decision but for the time and the entities that
// it may read. A panic is an error of kind Internal.
func (p *PDP) ask(ctx context.Context, on *pin, rule eval.Rule, in eval.Input, size int, within time.Duration, entities int) (value any, defined bool, err error) {
	defer panics.Catch("evaluation", &err)
	if err := p.checkSize(size); err != nil {
		return nil, false, err
	}
	budget := newBudget(ctx, time.Now(), within)
	defer budget.release()
	reader := p.cache.Reader(on.snapshot, entities)
	in.Directory, in.Now, in.Steps = reader, on.now, p.limits.Steps
	value, defined, err = rule.Value(budget, in)
	reader.Release() // after a panic it is in any state
	if err == nil {
		err = budget.Err()
	}
	if err != nil {
		return nil, false, overTime(ctx, budget, within, err)
	}
	return value, defined, nil
}

// undecided is the error of a request that got no decision.
func undecided(ctx context.Context, err error) error {
	if ended := ctx.Err(); ended != nil {
		return authz.Errorf(authz.KindOf(ended), "no decision was made: %w", ended)
	}
	return err
}

// union is the sorted union of two sorted lists without duplicates.
func union(a, b []string) []string {
	if len(a) == 0 {
		return b
	}
	if len(b) == 0 {
		return a
	}
	all := slices.Concat(a, b)
	slices.Sort(all)
	return slices.Compact(all)
}

// log writes one line about a decision at debug level, and what is a fault of
// Verdict itself as an error.
func (p *PDP) log(request *authz.Request, decision *authz.Decision) {
	level := zap.DebugLevel
	if decision.Err != nil && authz.KindOf(decision.Err) == authz.Internal {
		level = zap.ErrorLevel
	}
	line := p.logger.Check(level, "decision")
	if line == nil {
		return
	}
	fields := []zap.Field{
		zap.String("id", decision.ID),
		zap.String("tenant", request.Tenant),
		zap.Stringer("subject", request.Subject.Ref()),
		zap.String("action", request.Action.Name),
		zap.Stringer("resource", request.Resource.Ref()),
		zap.Bool("allowed", decision.Allowed),
		zap.Strings("reasons", decision.Reasons),
		zap.String("policy_revision", decision.PolicyRevision),
		zap.Uint64("directory_revision", decision.DirectoryRevision),
	}
	if decision.Err != nil {
		fields = append(fields, zap.Stringer("kind", authz.KindOf(decision.Err)))
		fields = append(fields, panics.Fields(decision.Err)...)
	}
	line.Write(fields...)
}
