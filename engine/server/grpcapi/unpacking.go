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

// unpack waits until a message of so many bytes may be read, which is kept until it is
// released.
func (m *memory) unpack(ctx context.Context, bytes int) (release func(), err error) {
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
	return func() {
		m.messages.Release(weight)
		forget()
	}, nil
}

// makePage waits until a page of a listing may be made. Nothing may wait for a client
// until it is released.
func (m *memory) makePage(ctx context.Context) (release func(), err error) {
	if err := m.pages.Acquire(ctx, 1); err != nil {
		return nil, err
	}
	return func() { m.pages.Release(1) }, nil
}
