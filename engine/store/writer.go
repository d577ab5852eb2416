package store

import (
	"context"
	"runtime/debug"

	"go.uber.org/zap"

	"github.com/verdictpdp/verdict/api/authz"
)

// maxGroupWrites is how many writes wait for, and share, one commit at most.
const maxGroupWrites = 256

// A request is a write that waits for the writer.
type request struct {
	ctx    context.Context
	tenant string
	apply  func(*Tx) error
	done   chan outcome
}

// An outcome is what became of a write.
type outcome struct {
	revision uint64
	err      error
}

func (r *request) answer(revision uint64, err error) { r.done <- outcome{revision, err} }

// Update runs apply against the latest revision of a tenant and commits what
// it changed as one revision, which it returns when that is on disk and
// published. A write that changes nothing commits nothing, and the latest
// revision is returned.
//
// Apply may run more than once, each time on a fresh Tx, and not at the same
// time as any other; it must do nothing that lasts. Its error refuses the
// write and is returned. What does not fit into one commit is an error of kind
// LimitExceeded; where the disk is nearly full it is one of kind Unavailable.
// When the context ends while the write is waiting its error is returned, and
// the write may still have been made.
func (s *Store) Update(ctx context.Context, tenant string, apply func(*Tx) error) (uint64, error) {
	if err := ctx.Err(); err != nil {
		return 0, err
	}
	r := &request{ctx: ctx, tenant: tenant, apply: apply, done: make(chan outcome, 1)}
	select {
	case s.queue <- r:
	case <-s.closing:
		return 0, errClosed
	case <-ctx.Done():
		return 0, ctx.Err()
	}
	select {
	case o := <-r.done:
		return o.revision, o.err
	case <-ctx.Done():
		return 0, ctx.Err()
	case <-s.stopped:
	}
	select {
	case o := <-r.done: // answered as the writer ended
		return o.revision, o.err
	default:
		return 0, errClosed
	}
}

// write is the writer: it turns the requests into commits until the store
// closes. A write that has to wait for the commit of another goes first in the
// next group, where nothing is before it.
func (s *Store) write() {
	defer close(s.stopped)
	var waiting []*request
	for {
		if len(waiting) == 0 {
			select {
			case r := <-s.queue:
				waiting = append(waiting, r)
			case <-s.closing:
				return
			}
		}
		waiting = s.writeGroup(s.takeMore(waiting))
	}
}

// takeMore takes the requests that have arrived.
func (s *Store) takeMore(waiting []*request) []*request {
	for len(waiting) < maxGroupWrites {
		select {
		case r := <-s.queue:
			waiting = append(waiting, r)
		default:
			return waiting
		}
	}
	return waiting
}

// writeGroup commits those requests that can share a revision, answers them
// and those that are refused, and returns the others.
func (s *Store) writeGroup(requests []*request) (waiting []*request) {
	g := newGroup()
	for _, r := range requests {
		if s.failed != nil {
			r.answer(0, s.failed)
			continue
		}
		if err := r.ctx.Err(); err != nil {
			r.answer(0, err)
			continue
		}
		if !s.join(g, r) {
			waiting = append(waiting, r)
		}
	}
	if len(g.requests) == 0 {
		return waiting
	}
	revision, err := s.commit(g)
	for _, r := range g.requests {
		r.answer(revision, err)
	}
	return waiting
}

// join runs a request and puts it into the group, or answers it. It returns
// false for one that has to wait for the group's commit.
func (s *Store) join(g *group, r *request) bool {
	view := &View{store: s, tenant: r.tenant, version: s.published.Load()}
	view.txn = s.db.NewTransactionAt(view.version.revision, false)
	defer view.txn.Discard()
	tx := newTx(view)
	err := s.guard(func() error { return r.apply(tx) })
	if g.dependsOn(tx) {
		return false
	}
	if err != nil {
		r.answer(0, err)
		return true
	}
	var d *effect
	err = s.guard(func() (err error) {
		d, err = tx.derive()
		return err
	})
	switch {
	case err != nil:
		r.answer(0, err)
	case len(d.touches) == 0:
		r.answer(view.Revision(), nil)
	case !newGroup().fits(d):
		r.answer(0, authz.Errorf(authz.LimitExceeded,
			"the batch comes to %d bytes and %d keys with its indexes: one batch may come to %d bytes and %d keys, send several smaller ones",
			d.size, d.count(), maxCommitBytes-commitOverheadBytes, maxCommitEntries-commitOverheadEntries))
	case !g.fits(d):
		return false
	default:
		g.add(r, d)
	}
	return true
}

// guard runs a part of a write that leaves nothing behind. A panic in it is an
// error of kind Internal, and the writer goes on.
func (s *Store) guard(part func() error) (err error) {
	defer func() {
		if p := recover(); p != nil {
			s.options.Logger.Error("a write panicked", zap.Any("panic", p), zap.ByteString("stack", debug.Stack()))
			err = authz.Errorf(authz.Internal, "the write panicked: %v", p)
		}
	}()
	return part()
}
