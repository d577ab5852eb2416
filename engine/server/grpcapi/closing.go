package grpcapi

import (
	"context"
	"errors"
	"io"

	"github.com/verdictpdp/verdict/api/authz"
	"github.com/verdictpdp/verdict/engine/directory"
	"github.com/verdictpdp/verdict/engine/pdp"
)

// When the server closes, calls in flight are finished, except those that only
// their callers would end: streams, watches, and calls that wait for a revision
// to come. They end at once, and their callers may ask another server.

// errClosing ends what would outlive the server.
var errClosing = authz.Errorf(authz.Unavailable, "the server is closing: connect again")

// untilClosing runs what may wait without end. When the server closes, its
// context ends, and the error is errClosing.
func untilClosing[T any](ctx, closing context.Context, run func(context.Context) (T, error)) (T, error) {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	defer context.AfterFunc(closing, func() { cancel(errClosing) })()
	result, err := run(ctx)
	if err != nil && errors.Is(context.Cause(ctx), errClosing) {
		err = errClosing
	}
	return result, err
}

// A waiting is how calls wait for a revision: until the server closes, and without the
// memory that others need who do not.
type waiting struct {
	closing   context.Context
	revisions func() (oldest, latest uint64)
}

// at runs what reads the directory as consistency asks, which may mean to wait.
func at[T any](ctx context.Context, w waiting, consistency authz.Consistency, run func(context.Context) (T, error)) (T, error) {
	if consistency.AtLeast == 0 {
		return run(ctx)
	}
	if _, latest := w.revisions(); consistency.AtLeast > latest {
		arrivalOf(ctx).giveBack()
	}
	return untilClosing(ctx, w.closing, run)
}

// A closingDecider is a Decider that waits no longer than the server is open.
type closingDecider struct {
	Decider
	waiting
}

func (d closingDecider) Decide(ctx context.Context, request *authz.Request, options pdp.DecideOptions) (authz.Decision, error) {
	return at(ctx, d.waiting, options.Consistency, func(ctx context.Context) (authz.Decision, error) {
		return d.Decider.Decide(ctx, request, options)
	})
}

func (d closingDecider) DecideBatch(ctx context.Context, batch pdp.Batch) ([]authz.Decision, error) {
	return at(ctx, d.waiting, batch.Consistency, func(ctx context.Context) ([]authz.Decision, error) {
		return d.Decider.DecideBatch(ctx, batch)
	})
}

// A closingSearcher is a Searcher that waits no longer than the server is open.
type closingSearcher struct {
	Searcher
	waiting
}

func (s closingSearcher) Search(ctx context.Context, search pdp.Search) (pdp.Found, error) {
	return at(ctx, s.waiting, search.Consistency, func(ctx context.Context) (pdp.Found, error) {
		return s.Searcher.Search(ctx, search)
	})
}

// A closingPlanner is a Planner that waits no longer than the server is open.
type closingPlanner struct {
	Planner
	waiting
}

func (p closingPlanner) Plan(ctx context.Context, question pdp.PlanQuestion) (pdp.Planned, error) {
	return at(ctx, p.waiting, question.Consistency, func(ctx context.Context) (pdp.Planned, error) {
		return p.Planner.Plan(ctx, question)
	})
}

// A closingDirectory is a Directory that waits no longer than the server is
// open.
type closingDirectory struct {
	Directory
	waiting
}

func (d closingDirectory) Snapshot(ctx context.Context, tenant string, consistency authz.Consistency) (*directory.Snapshot, error) {
	return at(ctx, d.waiting, consistency, func(ctx context.Context) (*directory.Snapshot, error) {
		return d.Directory.Snapshot(ctx, tenant, consistency)
	})
}

func (d closingDirectory) Export(ctx context.Context, tenant string, consistency authz.Consistency, lines io.Writer) (revision uint64, err error) {
	return at(ctx, d.waiting, consistency, func(ctx context.Context) (uint64, error) {
		return d.Directory.Export(ctx, tenant, consistency, lines)
	})
}

func (d closingDirectory) Watch(ctx context.Context, tenant string, after uint64, visit func(directory.ChangeRecord) error) error {
	_, err := untilClosing(ctx, d.closing, func(ctx context.Context) (struct{}, error) {
		return struct{}{}, d.Directory.Watch(ctx, tenant, after, visit)
	})
	return err
}
