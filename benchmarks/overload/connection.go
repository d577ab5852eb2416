package main

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"net"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/net/http2"
	"golang.org/x/net/http2/hpack"
)

// A connection speaks just as much gRPC as the load needs, in some two
// microseconds a call: a real client takes as long as the server, and on a small
// machine could not offer it twice of what it can do. What the server has to do for it
// is what it does for a real client: the deadline of each call is in its header, to the
// microsecond, and a call that is not answered by then is cancelled.
type connection struct {
	conn   net.Conn
	record *record

	mu     sync.Mutex // of what is below, and of writing
	out    *bufio.Writer
	framer *http2.Framer
	header bytes.Buffer
	encode *hpack.Encoder
	next   uint32
	oldest uint32 // no call before is under way
	// room is how much the server takes before it says so again, in all and, at the
	// beginning, of each call; consumed is what was taken from it.
	room, roomOfCall int64
	most             int // calls at a time

	underWay atomic.Int64
	calls    [1 << 16]pending // by number, a ring
	err      atomic.Pointer[error]
	gone     chan struct{} // closed when the server has
}

// A pending is a call that is not answered.
type pending struct {
	intended time.Time
	allowed  bool // the answer to expect
	answered bool // one has come, or part of it
	outcome  outcome
}

const (
	windowBytes = 1 << 30
	// refill is from when on the server is told that what it sent was taken.
	refill = windowBytes / 2
)

// connect connects from an address of this machine, any of 127.0.0.0/8.
func connect(from, address string, r *record) (*connection, error) {
	dialer := net.Dialer{LocalAddr: &net.TCPAddr{IP: net.ParseIP(from)}}
	conn, err := dialer.Dial("tcp", address)
	if err != nil {
		return nil, err
	}
	c := &connection{conn: conn, record: r, out: bufio.NewWriterSize(conn, 64<<10), next: 1, oldest: 1, room: 65_535, roomOfCall: 65_535, most: 100, gone: make(chan struct{})}
	c.framer = http2.NewFramer(c.out, bufio.NewReaderSize(conn, 64<<10))
	c.encode = hpack.NewEncoder(&c.header)
	c.mu.Lock()
	defer c.mu.Unlock()
	_, err = io.WriteString(c.out, http2.ClientPreface)
	err = errors.Join(err,
		c.framer.WriteSettings(http2.Setting{ID: http2.SettingInitialWindowSize, Val: windowBytes}),
		c.framer.WriteWindowUpdate(0, windowBytes-65_535),
		c.out.Flush())
	if err != nil {
		return nil, errors.Join(err, conn.Close())
	}
	go c.listen()
	return c, nil
}

// send sends a call if the server takes one; it is not flushed. It returns false
// where the server has to be waited for.
func (c *connection) send(m *message, intended time.Time) (bool, error) {
	if err := c.err.Load(); err != nil {
		return false, *err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if int(c.underWay.Load()) >= c.most || c.room < int64(len(m.body)) || c.roomOfCall < int64(len(m.body)) {
		return false, c.out.Flush()
	}
	c.room -= int64(len(m.body))
	id := c.next
	c.next += 2
	*c.call(id) = pending{intended: intended, allowed: m.allowed}
	c.underWay.Add(1)
	c.header.Reset()
	for _, field := range m.header {
		if err := c.encode.WriteField(field); err != nil {
			return false, err
		}
	}
	left := strconv.FormatInt((patience - time.Since(intended)).Microseconds(), 10)
	if err := c.encode.WriteField(hpack.HeaderField{Name: "grpc-timeout", Value: left + "u"}); err != nil {
		return false, err
	}
	return true, errors.Join(
		c.framer.WriteHeaders(http2.HeadersFrameParam{StreamID: id, BlockFragment: c.header.Bytes(), EndHeaders: true}),
		c.framer.WriteData(id, true, m.body))
}

// flush sends what was written, and cancels the calls whose time is up.
func (c *connection) flush() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	now := time.Now()
	for ; c.oldest < c.next; c.oldest += 2 {
		call := c.call(c.oldest)
		if call.intended.IsZero() {
			continue
		}
		if now.Sub(call.intended) <= patience {
			break
		}
		c.record.cancel(call.intended)
		*call = pending{}
		c.underWay.Add(-1)
		if err := c.framer.WriteRSTStream(c.oldest, http2.ErrCodeCancel); err != nil {
			return err
		}
	}
	return c.out.Flush()
}

// listen takes the answers until the connection ends.
func (c *connection) listen() {
	defer close(c.gone)
	err := c.answers()
	c.err.CompareAndSwap(nil, &err)
}

func (c *connection) answers() error {
	status := ""
	decode := hpack.NewDecoder(4096, func(field hpack.HeaderField) {
		if field.Name == "grpc-status" {
			status = field.Value
		}
	})
	taken := 0
	for {
		frame, err := c.framer.ReadFrame()
		if err != nil {
			return err
		}
		switch frame := frame.(type) {
		case *http2.HeadersFrame:
			if !frame.HeadersEnded() {
				return errors.New("a header in several frames")
			}
			if _, err := decode.Write(frame.HeaderBlockFragment()); err != nil {
				return err
			}
			if frame.StreamEnded() {
				c.answer(frame.StreamID, status)
				status = ""
			}
		case *http2.DataFrame:
			c.mu.Lock()
			if call := c.call(frame.StreamID); !call.answered && !call.intended.IsZero() {
				call.answered = true
				call.outcome = outcomeOf(frame.Data(), call.allowed)
			}
			c.mu.Unlock()
			if taken += int(frame.Length); taken > refill {
				c.mu.Lock()
				err = errors.Join(c.framer.WriteWindowUpdate(0, uint32(taken)), c.out.Flush())
				c.mu.Unlock()
				taken = 0
			}
		case *http2.RSTStreamFrame:
			c.answer(frame.StreamID, frame.ErrCode.String())
		case *http2.SettingsFrame:
			err = c.settle(frame)
		case *http2.PingFrame:
			if !frame.IsAck() {
				c.mu.Lock()
				err = errors.Join(c.framer.WritePing(true, frame.Data), c.out.Flush())
				c.mu.Unlock()
			}
		case *http2.WindowUpdateFrame:
			if frame.StreamID == 0 {
				c.mu.Lock()
				c.room += int64(frame.Increment)
				c.mu.Unlock()
			}
		case *http2.GoAwayFrame:
			return fmt.Errorf("the server has gone: %v %s", frame.ErrCode, frame.DebugData())
		}
		if err != nil {
			return err
		}
	}
}

// settle does as the server's settings say.
func (c *connection) settle(frame *http2.SettingsFrame) error {
	if frame.IsAck() {
		return nil
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	err := frame.ForeachSetting(func(s http2.Setting) error {
		switch s.ID {
		case http2.SettingMaxConcurrentStreams:
			c.most = int(s.Val)
		case http2.SettingInitialWindowSize:
			c.roomOfCall = int64(s.Val)
		}
		return nil
	})
	return errors.Join(err, c.framer.WriteSettingsAck(), c.out.Flush())
}

// call is the place of a call. c.mu is held.
func (c *connection) call(id uint32) *pending { return &c.calls[id>>1&(1<<16-1)] }

// answer notes what became of a call, unless that is known: after an answer the
// server may say that it does not read the rest of the call.
func (c *connection) answer(id uint32, status string) {
	c.mu.Lock()
	call := *c.call(id)
	*c.call(id) = pending{}
	c.mu.Unlock()
	if call.intended.IsZero() {
		return
	}
	c.record.answered(&call, status, time.Now())
	c.underWay.Add(-1)
}

func (c *connection) close() {
	_ = c.conn.Close()
	<-c.gone
}
