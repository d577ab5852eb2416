package store

import (
	"context"
	"runtime/debug"
	"time"

	"go.uber.org/zap"

	"github.com/verdictpdp/verdict/api/authz"
)

// maxGroupWrites is how many writes wait for a commit at most.
const maxGroupWrites = 256

// A Write is a write on its way: its caller hands it to the writer, which
// accepts or answers it.
type Write struct {
	ctx    context.Context
	tenant string
	after  *Write
	apply  func(*Tx) error

	accepted chan struct{} // closed when apply has run for the last time, or is not to run
	done     chan struct{} // closed when the outcome is there
	stopped  chan struct{} // the store's
	revision uint64
	err      error
}

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
	w, err := s.Begin(ctx, tenant, nil, apply)
	if err != nil {
		return 0, err
	}
	return w.Wait(ctx)
}

// Begin is Update for who has more to write meanwhile: it returns when the
// write is accepted. Then apply has run for the last time, and only the disk
// can fail. The write is not made if the one that it comes after, if any, was
// accepted and fails.
func (s *Store) Begin(ctx context.Context, tenant string, after *Write, apply func(*Tx) error) (*Write, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	w := &Write{
		ctx: ctx, tenant: tenant, after: after, apply: apply,
		accepted: make(chan struct{}), done: make(chan struct{}), stopped: s.stopped,
	}
	select {
	case s.queue <- w:
	case <-s.closing:
		return nil, errClosed
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	if err := w.until(ctx, w.accepted); err != nil {
		return nil, err
	}
	return w, w.failure()
}

// Wait returns the revision of an accepted write when that is on disk and
// published. Its errors are those of Update.
func (w *Write) Wait(ctx context.Context) (uint64, error) {
	if err := w.until(ctx, w.done); err != nil {
		return 0, err
	}
	return w.revision, w.err
}

// until waits for a channel to be closed. That counts even if the context or
// the writer has ended meanwhile.
func (w *Write) until(ctx context.Context, closed <-chan struct{}) error {
	err := error(errClosed)
	select {
	case <-closed:
	case <-ctx.Done():
		err = ctx.Err()
	case <-w.stopped:
	}
	select {
	case <-closed:
		return nil
	default:
		return err
	}
}

// failure is the error that a write was answered with, if it was.
func (w *Write) failure() error {
	select {
	case <-w.done:
		return w.err
	default:
		return nil
	}
}

// answer gives a write its outcome, and lets go of what it was made of.
func (w *Write) answer(revision uint64, err error) {
	w.revision, w.err = revision, err
	w.apply, w.after = nil, nil
	close(w.done)
}

// A writer turns writes into commits, one after the other. While one is put on
// disk it joins writes to the next.
type writer struct {
	store   *Store
	size    sizing
	current *commit  // on its way to the disk, or nil
	next    *group   // accepted
	waiting []*Write // for current, for next, or behind one that waits
}

// write is the writer's goroutine.
func (s *Store) write() {
	defer close(s.stopped)
	w := &writer{store: s, size: s.options.sizing()}
	w.next = newGroup(w.size)
	var look <-chan time.Time
	if s.options.Housekeeping > 0 {
		look = time.After(s.options.Housekeeping)
	}
	for {
		queue, landed := s.queue, (chan error)(nil)
		if len(w.waiting) >= maxGroupWrites {
			queue = nil
		}
		if w.current != nil {
			landed = w.current.landed
		}
		select {
		case first := <-queue:
			w.take(first)
		case err := <-landed:
			s.finish(w.current, err)
			w.current = nil
		case <-look:
			look = time.After(w.keepHouse())
		case <-s.closing:
			if w.current != nil {
				s.finish(w.current, <-w.current.landed)
			}
			return
		}
		w.proceed()
	}
}

// take joins the writes that have arrived, unless others wait: none overtakes
// those again and again.
func (w *writer) take(first *Write) {
	arrived := []*Write{first}
	for more := true; more && len(arrived) < maxGroupWrites; {
		select {
		case next := <-w.store.queue:
			arrived = append(arrived, next)
		default:
			more = false
		}
	}
	if len(w.waiting) > 0 {
		w.waiting = append(w.waiting, arrived...)
		return
	}
	w.joinAll(arrived)
}

// proceed begins the next commit, if none is on its way. Then those that wait
// come first; the first of them joins for certain when there is no next yet.
func (w *writer) proceed() {
	for w.current == nil {
		waiting := w.waiting
		w.waiting = nil
		w.joinAll(waiting)
		if len(w.next.members) == 0 {
			return
		}
		group := w.next
		w.next = newGroup(w.size)
		var err error
		if w.current, err = w.store.begin(group); err != nil {
			group.answer(0, err)
		}
	}
}

func (w *writer) joinAll(writes []*Write) {
	for _, write := range writes {
		if w.join(write) {
			close(write.accepted)
		} else {
			w.waiting = append(w.waiting, write)
		}
	}
}

// join runs a write and accepts it into the next group, or answers it. It
// returns false for one that has to wait: what it saw is changed by a write
// that is accepted, or the group is full.
func (w *writer) join(write *Write) bool {
	if err := w.refusal(write); err != nil {
		write.answer(0, err)
		return true
	}
	s := w.store
	view := &View{store: s, tenant: write.tenant, version: s.published.Load()}
	defer view.end()
	tx := newTx(view)
	var d *effect
	err := s.guard(func() (err error) {
		if err = write.apply(tx); err == nil {
			d, err = tx.derive()
		}
		return err
	})
	switch {
	case w.next.changes(tx.reads) || w.current != nil && w.current.group.changes(tx.reads):
		return false
	case err != nil:
		write.answer(0, err)
	case len(d.touches) == 0:
		write.answer(view.Revision(), nil)
	case !newGroup(w.size).fits(d):
		write.answer(0, authz.Exceeded(authz.WriteLimit,
			"the batch comes to %d bytes and %d keys with its indexes: one batch may come to %d bytes and %d keys, send several smaller ones",
			d.size, d.count(), w.size.commitBytes-commitOverheadBytes, w.size.commitEntries-commitOverheadEntries))
	case !w.next.fits(d):
		return false
	default:
		w.next.add(write, d)
	}
	return true
}

// refusal is why a write is not made, whatever it is.
func (w *writer) refusal(write *Write) error {
	if failed := w.store.failed.get(); failed != nil {
		return failed
	}
	if write.after != nil {
		if err := write.after.failure(); err != nil {
			return err
		}
	}
	return write.ctx.Err()
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
