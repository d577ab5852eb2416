package intake

import (
	"bufio"
	"errors"
	"net"
	"os"
	"sync"
	"sync/atomic"
	"time"

	"github.com/verdictpdp/verdict/api/authz"
)

const (
	// readBytes is how much is read ahead of gRPC, which asks for each frame by itself.
	// Of a large frame no more than its header is.
	readBytes = 8 << 10
	// maxOpen bounds the streams that are open here. gRPC bounds its own, and answers
	// those beyond.
	maxOpen = 10_000
)

var errTooManyStreams = errors.New("more streams are open on the connection than were ever allowed")

// A conn is a connection whose frames are followed.
type conn struct {
	net.Conn
	intake *Intake
	local  localAddr

	// What is read, by one goroutine.
	reader    *bufio.Reader
	incoming  frames
	data      dataPart
	isEntered bool // whether the intake knows of the connection

	// What is written. out orders it.
	out      sync.Mutex
	outgoing frames
	// writing is since when something is being written, or 0.
	writing atomic.Int64

	// held is how much the calls hold.
	held atomic.Int64

	mu sync.Mutex
	// peer is nil before the first frame. The intake's mutex guards it, too.
	peer     *peer
	isClosed bool
	calls    map[uint32]*call
	last     uint32 // the stream that was opened last
	// resets are the frames that gRPC is still to read as if the client gave up, and
	// notices those that tell the client, both whole; resetting is since when there are
	// resets.
	resets, notices []byte
	resetting       time.Duration
	isNotifying     bool
	hasResets       atomic.Bool
}

func (i *Intake) follow(below net.Conn) net.Conn {
	c := &conn{Conn: below, intake: i, reader: bufio.NewReaderSize(below, readBytes), calls: map[uint32]*call{}}
	c.incoming.preface = prefaceBytes
	c.local = localAddr{below.LocalAddr(), c}
	return c
}

// A localAddr leads from the peer.Peer of a call to its connection.
type localAddr struct {
	net.Addr
	conn *conn
}

// LocalAddr implements net.Conn.
func (c *conn) LocalAddr() net.Addr { return &c.local }

// Close implements net.Conn.
func (c *conn) Close() error {
	err := c.Conn.Close()
	c.mu.Lock()
	defer c.mu.Unlock()
	if !c.isClosed && c.peer != nil {
		for _, call := range c.calls {
			c.drop(call)
		}
		c.intake.leave(c)
	}
	c.isClosed = true
	return err
}

// Read implements net.Conn. It never goes beyond a part of a frame, so that the frame
// which was followed last is the one that gRPC is at.
func (c *conn) Read(p []byte) (int, error) {
	if len(p) == 0 {
		return 0, nil
	}
	for {
		if n := c.readReset(p); n > 0 {
			return n, nil
		}
		n, err := c.reader.Read(p[:min(len(p), c.incoming.room())])
		if n > 0 {
			return n, c.received(p[:n])
		}
		if err != nil && !(errors.Is(err, os.ErrDeadlineExceeded) && c.resume()) {
			return 0, err
		}
	}
}

// resume goes on reading if it was interrupted for the sake of resets, be it to come to
// the end of a frame first.
func (c *conn) resume() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(c.resets) == 0 {
		return false
	}
	_ = c.Conn.SetReadDeadline(time.Time{}) // an error comes from reading
	return true
}

// readReset reads what the client has not sent, between two frames that it has.
func (c *conn) readReset(p []byte) int {
	if !c.hasResets.Load() || !c.incoming.isBetween() {
		return 0
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	n := copy(p, c.resets)
	if c.resets = c.resets[n:]; len(c.resets) == 0 {
		c.resets = nil
		c.hasResets.Store(false)
		_ = c.Conn.SetReadDeadline(time.Time{}) // an error comes from reading
	}
	return n
}

// received follows what was read.
func (c *conn) received(p []byte) error {
	for len(p) > 0 {
		n, of := c.incoming.pass(p)
		if of == header {
			if err := c.begin(c.incoming.frame); err != nil {
				return err
			}
		}
		var data []byte
		if of == payload && c.incoming.kind == dataFrame {
			data = c.data.pass(p[:n])
		}
		isLast := of != nothing && c.incoming.left == 0 && c.incoming.endsRequest()
		if len(data) > 0 || isLast {
			c.receive(c.incoming.stream, data, isLast)
		}
		p = p[n:]
	}
	return nil
}

// begin follows a header of the client's. Before the first, gRPC may leave a connection
// without closing it here.
func (c *conn) begin(f frame) error {
	if !c.isEntered {
		c.isEntered = true
		c.enter()
	}
	switch f.kind {
	case dataFrame:
		c.data = dataOf(f)
	case headersFrame:
		c.mu.Lock()
		defer c.mu.Unlock()
		if f.stream <= c.last || c.isClosed { // trailers, or what gRPC refuses
			return nil
		}
		if len(c.calls) >= maxOpen {
			return errTooManyStreams
		}
		c.last = f.stream
		c.calls[f.stream] = &call{conn: c, id: f.stream, opened: c.intake.now()}
	case resetFrame:
		c.end(f.stream)
	}
	return nil
}

func (c *conn) enter() {
	c.mu.Lock()
	defer c.mu.Unlock()
	if !c.isClosed {
		c.intake.enter(c)
	}
}

// end ends a call, if it is open.
func (c *conn) end(stream uint32) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if call := c.calls[stream]; call != nil {
		c.drop(call)
	}
}

// drop forgets a call that is open, and what it holds. The mutex is held.
func (c *conn) drop(call *call) {
	delete(c.calls, call.id)
	c.hold(-call.held())
	if call.isTapped {
		c.intake.calls.Add(-1)
		c.peer.calls.Add(-1)
	}
}

// hold counts what is held more, or less, and reports whether it is too much.
func (c *conn) hold(bytes int64) (tooMuch bool) {
	if bytes == 0 {
		return false
	}
	c.held.Add(bytes)
	c.peer.held.Add(bytes)
	return c.intake.held.Add(bytes) > c.intake.limits.Bytes && bytes > 0
}

// receive takes data of a call's messages, which may be the last that there is.
func (c *conn) receive(stream uint32, data []byte, isLast bool) {
	tooMuch := c.change(stream, func(call *call) {
		call.receive(data, c.intake.now())
		call.isWhole = call.isWhole || isLast
	})
	if tooMuch {
		c.intake.relieve()
	}
}

// change changes a call, if it is open, and reports whether too much is held then.
func (c *conn) change(stream uint32, change func(*call)) (tooMuch bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	call := c.calls[stream]
	if call == nil {
		return false
	}
	before := call.held()
	change(call)
	return c.hold(call.held() - before)
}

// Write implements net.Conn.
func (c *conn) Write(p []byte) (int, error) {
	c.out.Lock()
	defer c.out.Unlock()
	n, err := c.write(p)
	c.sent(p[:n])
	if err == nil {
		err = c.writeNotices()
	}
	return n, err
}

// write writes, and says since when. out is held.
func (c *conn) write(p []byte) (int, error) {
	c.writing.Store(int64(c.intake.now()) + 1)
	defer c.writing.Store(0)
	return c.Conn.Write(p)
}

// sent follows what was written.
func (c *conn) sent(p []byte) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for len(p) > 0 {
		n, of := c.outgoing.pass(p)
		f := c.outgoing.frame
		call := c.calls[f.stream]
		switch {
		case of == nothing || call == nil:
		case of == header && (f.kind == resetFrame || f.kind == headersFrame && f.has(endStream)):
			c.drop(call)
		case of == payload && f.kind == dataFrame:
			before := call.held()
			call.send(int64(n), c.intake.now())
			c.hold(call.held() - before)
		}
		p = p[n:]
	}
}

// reset ends a call, and has gRPC and the client end it. It waits for neither.
func (c *conn) reset(call *call) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.calls[call.id] != call {
		return
	}
	c.drop(call)
	if len(c.resets) == 0 {
		c.resetting = c.intake.now()
	}
	c.resets = append(c.resets, resetOf(call.id, cancelled)...)
	c.hasResets.Store(true)
	_ = c.Conn.SetReadDeadline(longAgo) // an error comes from reading
	c.notices = append(c.notices, resetOf(call.id, enhanceYourCalm)...)
	if !c.isNotifying {
		c.isNotifying = true
		go c.notify()
	}
}

// longAgo interrupts reading.
var longAgo = time.Unix(1, 0)

// notify tells the client of resets, once nothing else is being written.
func (c *conn) notify() {
	c.out.Lock()
	defer c.out.Unlock()
	_ = c.writeNotices() // an error comes from writing
}

// writeNotices tells the client of resets, if this is between two frames. out is held.
func (c *conn) writeNotices() error {
	if !c.outgoing.isBetween() {
		return nil // Write does, once it is
	}
	c.mu.Lock()
	notices := c.notices
	c.notices, c.isNotifying = nil, false
	c.mu.Unlock()
	if len(notices) == 0 {
		return nil
	}
	_, err := c.write(notices)
	return err
}

// sweep resets the calls that last too long, and reports whether the connection does.
func (c *conn) sweep(now, most time.Duration) (isStuck bool) {
	var late []*call
	var why []string
	c.mu.Lock()
	for _, call := range c.calls {
		if lateness := call.lateness(now, most); lateness != "" {
			late, why = append(late, call), append(why, lateness)
		}
	}
	isStuck = len(c.resets) > 0 && now-c.resetting > most
	c.mu.Unlock()
	for i, call := range late {
		c.intake.tell(c, "a call is reset", authz.TransferLimit, why[i])
		c.reset(call)
	}
	writing := time.Duration(c.writing.Load())
	return isStuck || writing > 0 && now-writing > most
}

// largest is the call that holds most; nil if none holds anything.
func (c *conn) largest() (largest *call) {
	c.mu.Lock()
	defer c.mu.Unlock()
	var most int64
	for _, call := range c.calls {
		if held := call.held(); held > most {
			largest, most = call, held
		}
	}
	return largest
}
