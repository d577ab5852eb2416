package tracing

import (
	"context"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/trace"

	"github.com/verdictpdp/verdict/api/authz"
	"github.com/verdictpdp/verdict/engine/pdp"
)

// A Decider answers requests. *pdp.PDP is one.
type Decider interface {
	Decide(ctx context.Context, request *authz.Request, options pdp.DecideOptions) (authz.Decision, error)
	DecideBatch(ctx context.Context, batch pdp.Batch) ([]authz.Decision, error)
	Search(ctx context.Context, search pdp.Search) (pdp.Found, error)
	Plan(ctx context.Context, question pdp.PlanQuestion) (pdp.Planned, error)
}

// Decider is a decider that makes a span of each answer.
func (t *Tracing) Decider(next Decider) Decider { return traced{t.tracer, next} }

type traced struct {
	tracer trace.Tracer
	next   Decider
}

// Decide implements Decider.
func (d traced) Decide(ctx context.Context, request *authz.Request, options pdp.DecideOptions) (authz.Decision, error) {
	ctx, span := d.tracer.Start(ctx, "decide")
	defer span.End()
	decision, err := d.next.Decide(ctx, request, options)
	if !span.IsRecording() {
		return decision, err
	}
	if err != nil {
		fail(span, err)
		return decision, err
	}
	span.SetAttributes(
		attribute.String("verdict.tenant", request.Tenant),
		attribute.String("verdict.decision_id", decision.ID),
		attribute.String("verdict.outcome", outcomeOf(&decision)),
	)
	rest(span, decision.PolicyRevision, decision.DirectoryRevision)
	if decision.Err != nil {
		fail(span, decision.Err)
	}
	return decision, nil
}

// DecideBatch implements Decider. A batch has one span.
func (d traced) DecideBatch(ctx context.Context, batch pdp.Batch) ([]authz.Decision, error) {
	ctx, span := d.tracer.Start(ctx, "decide batch")
	defer span.End()
	decisions, err := d.next.DecideBatch(ctx, batch)
	if !span.IsRecording() {
		return decisions, err
	}
	if err != nil {
		fail(span, err)
		return decisions, err
	}
	outcomes := map[string]int{}
	for i := range decisions {
		outcomes[outcomeOf(&decisions[i])]++
	}
	span.SetAttributes(attribute.String("verdict.tenant", batch.Tenant), attribute.Int("verdict.decisions", len(decisions)),
		attribute.Int("verdict.allows", outcomes["allow"]), attribute.Int("verdict.denies", outcomes["deny"]), attribute.Int("verdict.errors", outcomes["error"]))
	if len(decisions) > 0 {
		rest(span, decisions[0].PolicyRevision, decisions[0].DirectoryRevision)
	}
	return decisions, nil
}

// Search implements Decider.
func (d traced) Search(ctx context.Context, search pdp.Search) (pdp.Found, error) {
	ctx, span := d.tracer.Start(ctx, "search")
	defer span.End()
	found, err := d.next.Search(ctx, search)
	if !span.IsRecording() {
		return found, err
	}
	if err != nil {
		fail(span, err)
		return found, err
	}
	span.SetAttributes(attribute.String("verdict.tenant", search.Request.Tenant), attribute.String("verdict.method", found.Method.String()),
		attribute.Int("verdict.candidates", found.Candidates), attribute.Int("verdict.results", len(found.IDs)))
	rest(span, found.PolicyRevision, found.DirectoryRevision)
	return found, nil
}

// Plan implements Decider.
func (d traced) Plan(ctx context.Context, question pdp.PlanQuestion) (pdp.Planned, error) {
	ctx, span := d.tracer.Start(ctx, "plan")
	defer span.End()
	planned, err := d.next.Plan(ctx, question)
	if !span.IsRecording() {
		return planned, err
	}
	if err != nil {
		fail(span, err)
		return planned, err
	}
	span.SetAttributes(attribute.String("verdict.tenant", question.Request.Tenant))
	rest(span, planned.PolicyRevision, planned.DirectoryRevision)
	return planned, nil
}

// rest tells what an answer rests on.
func rest(span trace.Span, policy string, directory uint64) {
	span.SetAttributes(attribute.String("verdict.policy_revision", policy), attribute.Int64("verdict.directory_revision", int64(directory)))
}

// fail tells of an error by its kind: its text may name whom it is about.
func fail(span trace.Span, err error) {
	kind := authz.KindOf(err).String()
	span.SetAttributes(attribute.String("error.type", kind))
	span.SetStatus(codes.Error, kind)
}

func outcomeOf(decision *authz.Decision) string {
	switch {
	case decision.Err != nil:
		return "error"
	case decision.Allowed:
		return "allow"
	default:
		return "deny"
	}
}
