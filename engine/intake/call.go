package intake

import (
	"context"
	"encoding/binary"
	"time"
)

// A call is a stream of HTTP/2, and what is held of it. The mutex of its connection
// guards it, but for the context.
type call struct {
	// Context is that of the call which gRPC makes of it, for whom the call is a context
	// itself: that is one piece less to be made for each. It is nil before Tap.
	context.Context
	conn *conn
	id   uint32
	// isTapped is whether gRPC has begun it, so that it is one of those that are
	// bounded.
	isTapped bool
	// isPatient is whether its client may go on without end, and say nothing for long.
	isPatient bool
	opened    time.Duration

	// prefix is that of the message under way, as far as it has come, and left what is
	// still to come of the message behind it.
	prefix [prefixBytes]byte
	have   int
	left   int64
	// arriving is how much has come of the message under way, which began at began.
	arriving int64
	began    time.Duration
	// isWhole is whether its client has said all that it will.
	isWhole bool

	// kept is how much whoever serves the call says that it keeps.
	kept int64
	// unsent is how much of its answers is not on its way, of which the last was sent,
	// or the first of them made, at moved.
	unsent int64
	moved  time.Duration
}

// Value implements context.Context.
func (c *call) Value(key any) any {
	if key == (callKey{}) {
		return c
	}
	return c.Context.Value(key)
}

// prefixBytes stand before each message: whether it is compressed, and its length.
const prefixBytes = 5

func (c *call) held() int64 { return c.arriving + c.kept + c.unsent }

// receive takes bytes of its messages.
func (c *call) receive(data []byte, now time.Duration) {
	for len(data) > 0 {
		var n int
		if c.have < prefixBytes {
			if c.have == 0 {
				c.began = now
			}
			n = copy(c.prefix[c.have:], data)
			if c.have += n; c.have == prefixBytes {
				c.left = int64(binary.BigEndian.Uint32(c.prefix[1:]))
			}
		} else {
			n = int(min(c.left, int64(len(data))))
			c.left -= int64(n)
		}
		c.arriving += int64(n)
		data = data[n:]
		if c.have == prefixBytes && c.left == 0 {
			c.have, c.arriving = 0, 0
		}
	}
}

// answer takes the size of an answer that is to be sent.
func (c *call) answer(size int64, now time.Duration) {
	if c.unsent == 0 {
		c.moved = now
	}
	c.unsent += size
}

// send takes how much of the answers is on its way.
func (c *call) send(size int64, now time.Duration) {
	c.unsent = max(0, c.unsent-size)
	c.moved = now
}

// lateness says what lasts longer than it may; empty if nothing does.
func (c *call) lateness(now, most time.Duration) string {
	switch {
	case c.have > 0 && now-c.began > most:
		return "its message has not come to its end"
	case c.isTapped && !c.isWhole && !c.isPatient && now-c.opened > most:
		return "its request has not come to its end"
	case c.unsent > 0 && now-c.moved > most:
		return "its answer is not taken"
	}
	return ""
}
