package grpcapi

import (
	"context"
	"time"

	"golang.org/x/sync/semaphore"

	"github.com/verdictpdp/verdict/api/authz"
	"github.com/verdictpdp/verdict/engine/intake"
)

const (
	// smallBytes is how large a message may be that waits for no other: most are.
	smallBytes = 4 << 10
	// maxUnpacked is how many messages of the largest size are read and answered at a
	// time. What they are read into takes many times their bytes.
	maxUnpacked = 4
	// maxUnpackingWait is how long a message waits for those.
	maxUnpackingWait = 5 * time.Second
	// maxPages is how many pages of listings are made at a time.
	maxPages = 8
)

// A memory bounds what messages are read into and made of, all together.
type memory struct {
	intake          *intake.Intake
	message         int64
	wait            time.Duration
	messages, pages *semaphore.Weighted
}

func newMemory(in *intake.Intake, maxMessageBytes int) *memory {
	message := int64(maxMessageBytes)
	return &memory{
		intake: in, message: message, wait: maxUnpackingWait,
		messages: semaphore.NewWeighted(maxUnpacked * message), pages: semaphore.NewWeighted(maxPages),
	}
}

// A share is what a message has of the memory. It is for one goroutine.
type share struct {
	of     *semaphore.Weighted
	weight int64
	forget func()
}

// giveBack lets another message be read. What is made of this one is kept, and counts
// against what is in flight.
func (s *share) giveBack() {
	s.of.Release(s.weight)
	s.weight = 0
}

func (s *share) release() {
	s.giveBack()
	s.forget()
}

// unpack waits until a message of so many bytes may be read, which is kept until it is
// released.
func (m *memory) unpack(ctx context.Context, bytes int) (release func(), err error) {
	share, err := m.share(ctx, bytes)
	if share == nil || err != nil {
		return nil, err
	}
	return share.release, nil
}

// unpackCall is unpack for the one message of a call, which may give its share back before
// it is answered.
func (m *memory) unpackCall(ctx context.Context, bytes int) (release func(), err error) {
	share, err := m.share(ctx, bytes)
	if share == nil || err != nil {
		return nil, err
	}
	if arrival := arrivalOf(ctx); arrival != nil {
		arrival.share = share
	}
	return share.release, nil
}

// share waits for the share of a message of so many bytes; nil for a small one, which needs
// none.
func (m *memory) share(ctx context.Context, bytes int) (*share, error) {
	if bytes <= smallBytes {
		return nil, nil
	}
	forget := m.intake.Keep(ctx, bytes)
	waiting, cancel := context.WithTimeout(ctx, m.wait)
	defer cancel()
	weight := min(int64(bytes), m.message)
	if err := m.messages.Acquire(waiting, weight); err != nil {
		forget()
		if ctx.Err() != nil {
			return nil, ctx.Err()
		}
		return nil, &authz.Error{
			Kind: authz.Overloaded, Limit: authz.MessageLimit, RetryAfter: time.Second,
			Message: "large messages are being answered that take all the memory for them: try again later, or send several smaller ones",
		}
	}
	return &share{m.messages, weight, forget}, nil
}

// makePage waits until a page of a listing may be made. Nothing may wait for a client
// until it is released.
func (m *memory) makePage(ctx context.Context) (release func(), err error) {
	if err := m.pages.Acquire(ctx, 1); err != nil {
		return nil, err
	}
	return func() { m.pages.Release(1) }, nil
}
