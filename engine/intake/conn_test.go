package intake

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net"
	"os"
	"slices"
	"strings"
	"testing"
	"testing/iotest"
	"time"

	"go.uber.org/zap"
	"golang.org/x/net/http2"
	grpcpeer "google.golang.org/grpc/peer"
	"google.golang.org/grpc/tap"

	"github.com/verdictpdp/verdict/api/authz"
)

// A script is a connection on which a client has said all that it will, and whose other
// half takes what it is given.
type script struct {
	net.Conn
	said     io.Reader
	written  bytes.Buffer
	deadline time.Time
	timeouts int
}

func (s *script) Read(p []byte) (int, error) {
	if !s.deadline.IsZero() {
		if s.timeouts++; s.timeouts > 100 {
			return 0, errors.New("it is read again and again past the deadline")
		}
		return 0, os.ErrDeadlineExceeded
	}
	return s.said.Read(p)
}

func (s *script) SetReadDeadline(deadline time.Time) error {
	s.deadline = deadline
	return nil
}

func (s *script) Write(p []byte) (int, error) { return s.written.Write(p) }
func (s *script) Close() error                { return nil }
func (s *script) LocalAddr() net.Addr         { return &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1), Port: 1} }
func (s *script) RemoteAddr() net.Addr        { return &net.TCPAddr{IP: net.IPv4(127, 0, 0, 2), Port: 2} }

func newIntake(limits Limits) *Intake {
	return New(Options{Limits: limits, MayWait: func(string) bool { return false }, Logger: zap.NewNop()})
}

// client writes what a client says.
func client(say func(*http2.Framer)) []byte {
	var said bytes.Buffer
	said.WriteString(http2.ClientPreface)
	say(http2.NewFramer(&said, nil))
	return said.Bytes()
}

func open(f *http2.Framer, stream uint32) {
	f.WriteHeaders(http2.HeadersFrameParam{StreamID: stream, BlockFragment: []byte{0x83}, EndHeaders: true})
}

// follow has a connection read all of what a client says, in pieces of a size.
func follow(t *testing.T, i *Intake, said []byte, piece int) *conn {
	t.Helper()
	c := i.follow(&script{said: bytes.NewReader(said)}).(*conn)
	heard, err := io.ReadAll(onePiece{c, piece})
	if err != nil || !bytes.Equal(heard, said) {
		t.Fatalf("heard %d bytes of %d, %v", len(heard), len(said), err)
	}
	return c
}

// onePiece reads no more than so many bytes at a time.
type onePiece struct {
	io.Reader
	size int
}

func (r onePiece) Read(p []byte) (int, error) { return r.Reader.Read(p[:min(len(p), r.size)]) }

func message(size int) []byte {
	return append([]byte{0, byte(size >> 24), byte(size >> 16), byte(size >> 8), byte(size)}, make([]byte, size)...)
}

func TestWhatIsHeldOfMessages(t *testing.T) {
	tests := []struct {
		name string
		say  func(*http2.Framer)
		want int64
	}{
		{"nothing but a header", func(*http2.Framer) {}, 0},
		{"a whole message", func(f *http2.Framer) { f.WriteData(1, false, message(100)) }, 0},
		{"an empty message", func(f *http2.Framer) { f.WriteData(1, false, message(0)) }, 0},
		{"half a message", func(f *http2.Framer) { f.WriteData(1, false, message(100)[:50]) }, 50},
		{"half a prefix", func(f *http2.Framer) { f.WriteData(1, false, message(100)[:3]) }, 3},
		{"a message in two frames", func(f *http2.Framer) {
			f.WriteData(1, false, message(100)[:3])
			f.WriteData(1, false, message(100)[3:])
		}, 0},
		{"a message and a half", func(f *http2.Framer) { f.WriteData(1, false, append(message(100), message(100)[:50]...)) }, 50},
		{"half a message, padded", func(f *http2.Framer) { f.WriteDataPadded(1, false, message(100)[:50], make([]byte, 200)) }, 50},
		{"padding alone", func(f *http2.Framer) { f.WriteDataPadded(1, false, nil, make([]byte, 200)) }, 0},
		{"halves of two messages", func(f *http2.Framer) {
			open(f, 3)
			f.WriteData(1, false, message(100)[:50])
			f.WriteData(3, false, message(100)[:20])
		}, 70},
		{"a call that is reset", func(f *http2.Framer) {
			f.WriteData(1, false, message(100)[:50])
			f.WriteRSTStream(1, http2.ErrCodeCancel)
		}, 0},
		{"a call that was never begun", func(f *http2.Framer) { f.WriteData(3, false, message(100)[:50]) }, 0},
		{"trailers", func(f *http2.Framer) {
			f.WriteData(1, false, message(100)[:50])
			open(f, 1)
		}, 50},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			said := client(func(f *http2.Framer) {
				f.WriteSettings()
				open(f, 1)
				tt.say(f)
			})
			for _, piece := range []int{1, 2, 7, 1 << 20} {
				i := newIntake(Limits{})
				c := follow(t, i, said, piece)
				if held := i.held.Load(); held != tt.want {
					t.Errorf("in pieces of %d: %d bytes are held, want %d", piece, held, tt.want)
				}
				c.Close()
				checkEmpty(t, i)
			}
		})
	}
}

// checkEmpty checks that nothing is left of the connections that were.
func checkEmpty(t *testing.T, i *Intake) {
	t.Helper()
	if i.held.Load() != 0 || i.calls.Load() != 0 || len(i.conns) != 0 || len(i.peers) != 0 {
		t.Errorf("%d bytes are held, %d calls are open, of %d connections of %d peers, want none", i.held.Load(), i.calls.Load(), len(i.conns), len(i.peers))
	}
}

// contextOf is the one that gRPC would give to the tap.
func contextOf(c *conn) context.Context {
	return grpcpeer.NewContext(context.Background(), &grpcpeer.Peer{LocalAddr: c.LocalAddr()})
}

// begin has gRPC begin the call that was opened last.
func begin(t *testing.T, c *conn) context.Context {
	t.Helper()
	ctx, err := c.intake.Tap(contextOf(c), &tap.Info{FullMethodName: "/s/m"})
	if err != nil {
		t.Fatal(err)
	}
	return ctx
}

func TestCallsAtTheLimit(t *testing.T) {
	for limit, limits := range map[authz.Limit]Limits{authz.CallsLimit: {Calls: 2}, authz.CallsPerPeerLimit: {CallsPerPeer: 2}} {
		t.Run(limit.String(), func(t *testing.T) {
			i := newIntake(limits)
			var limited []authz.Limit
			i.limited = func(limit authz.Limit) { limited = append(limited, limit) }
			var conns []*conn
			for range 3 {
				conns = append(conns, follow(t, i, client(func(f *http2.Framer) { open(f, 1) }), 1<<20))
			}
			begin(t, conns[0])
			begin(t, conns[1])
			_, err := i.Tap(contextOf(conns[2]), &tap.Info{FullMethodName: "/s/m"})
			if authz.KindOf(err) != authz.Overloaded || authz.LimitOf(err) != limit || !strings.Contains(err.Error(), limit.String()) {
				t.Errorf("a call beyond the limit: %v", err)
			}
			if !slices.Equal(limited, []authz.Limit{limit}) {
				t.Errorf("what is counted: %v", limited)
			}
			conns[0].Close()
			begin(t, conns[2])
			for _, c := range conns {
				c.Close()
			}
			checkEmpty(t, i)
		})
	}
}

// A socketScript is a script at a Unix socket.
type socketScript struct{ *script }

func (socketScript) RemoteAddr() net.Addr { return &net.UnixAddr{Net: "unix"} }

// Who comes over a Unix socket is no peer, of which there could be too many calls.
func TestCallsOverASocketAreOfNoPeer(t *testing.T) {
	i := newIntake(Limits{CallsPerPeer: 1})
	for range 3 {
		said := client(func(f *http2.Framer) { open(f, 1) })
		c := i.follow(socketScript{&script{said: bytes.NewReader(said)}}).(*conn)
		defer c.Close()
		if _, err := io.ReadAll(c); err != nil {
			t.Fatal(err)
		}
		begin(t, c)
	}
	checkCalls(t, i, 3)
}

// A connection is given up on which a reset call cannot be told of, or that takes nothing.
func TestConnectionsThatAreStuck(t *testing.T) {
	const most = time.Second
	for name, stick := range map[string]func(*conn){
		"a reset that is not read": func(c *conn) { c.reset(c.calls[1]) },
		"a write that is not over": func(c *conn) { c.writing.Store(1) },
	} {
		t.Run(name, func(t *testing.T) {
			i := newIntake(Limits{})
			c := follow(t, i, client(func(f *http2.Framer) { open(f, 1) }), 1<<20)
			defer c.Close()
			begin(t, c)
			if c.sweep(2*most, 3*most) {
				t.Fatal("it is given up before")
			}
			stick(c)
			if c.sweep(most, most) {
				t.Error("it is given up early")
			}
			if !c.sweep(most+2, most) {
				t.Error("it is waited for without end")
			}
		})
	}
}

// TestAnswersAreHeldUntilTheyAreSent writes what gRPC would.
func TestAnswersAreHeldUntilTheyAreSent(t *testing.T) {
	i := newIntake(Limits{})
	c := follow(t, i, client(func(f *http2.Framer) { open(f, 1) }), 1<<20)
	i.Answering(begin(t, c), 100)
	server := http2.NewFramer(c, nil)
	check := func(want int64) {
		t.Helper()
		if held := i.held.Load(); held != want {
			t.Errorf("%d bytes are held, want %d", held, want)
		}
	}
	check(100 + prefixBytes)
	server.WriteHeaders(http2.HeadersFrameParam{StreamID: 1, BlockFragment: []byte{0x88}, EndHeaders: true})
	server.WriteData(1, false, message(100)[:50])
	check(100 + prefixBytes - 50)
	server.WriteHeaders(http2.HeadersFrameParam{StreamID: 1, BlockFragment: []byte{0x88}, EndHeaders: true, EndStream: true})
	checkCalls(t, i, 0)
	check(0)
}

func checkCalls(t *testing.T, i *Intake, want int64) {
	t.Helper()
	if calls := i.calls.Load(); calls != want {
		t.Errorf("%d calls are open, want %d", calls, want)
	}
}

// TestTheHeaviestIsReset has two connections hold much, and a third little.
func TestTheHeaviestIsReset(t *testing.T) {
	i := newIntake(Limits{Bytes: 300})
	holding := func(sizes ...int) *conn {
		return follow(t, i, client(func(f *http2.Framer) {
			for stream, size := range sizes {
				open(f, uint32(2*stream+1))
				f.WriteData(uint32(2*stream+1), false, message(1000)[:size])
			}
		}), 1<<20)
	}
	light, heavy := holding(90), holding(50, 110, 50)
	if held := i.held.Load(); held != 300 {
		t.Fatalf("%d bytes are held", held)
	}
	last := holding(1) // one more than may be
	if held := i.held.Load(); held != 191 {
		t.Errorf("%d bytes are held then, want 191", held)
	}
	if len(light.resets) != 0 || len(last.resets) != 0 || !bytes.Equal(heavy.resets, resetOf(3, cancelled)) {
		t.Errorf("gRPC is told of %x, %x and %x", light.resets, heavy.resets, last.resets)
	}
	// The next read is of the reset, and what is written next of a notice.
	got := make([]byte, 20)
	if n, err := heavy.Read(got); err != nil || !bytes.Equal(got[:n], resetOf(3, cancelled)) {
		t.Errorf("read %x, %v", got[:n], err)
	}
	if n, err := heavy.Read(got); n != 0 || !errors.Is(err, io.EOF) {
		t.Errorf("read %x, %v behind it", got[:n], err)
	}
	heavy.Write(nil)
	if written := heavy.Conn.(*script).written.Bytes(); !bytes.Equal(written, resetOf(3, enhanceYourCalm)) {
		t.Errorf("the client is told %x", written)
	}
	for _, c := range []*conn{light, heavy, last} {
		c.Close()
	}
	checkEmpty(t, i)
}

// A scriptOf is a script of a client at an address.
type scriptOf struct {
	script
	address textAddr
}

func (s *scriptOf) RemoteAddr() net.Addr { return s.address }

// TestTheHeaviestPeerIsReset has one peer hold most with two connections, and another hold
// less with one that holds more than each of them.
func TestTheHeaviestPeerIsReset(t *testing.T) {
	i := newIntake(Limits{Bytes: 220})
	holding := func(address textAddr, size int) *conn {
		c := i.follow(&scriptOf{address: address, script: script{said: bytes.NewReader(client(func(f *http2.Framer) {
			open(f, 1)
			f.WriteData(1, false, message(1000)[:size])
		}))}}).(*conn)
		if _, err := io.Copy(io.Discard, c); err != nil {
			t.Fatal(err)
		}
		return c
	}
	lighter, light, heavy := holding("10.0.0.1:1", 100), holding("10.0.0.2:1", 50), holding("10.0.0.2:2", 70)
	last := holding("10.0.0.3:1", 1) // one more than may be
	if len(lighter.resets) != 0 || len(light.resets) != 0 || len(last.resets) != 0 || !bytes.Equal(heavy.resets, resetOf(1, cancelled)) {
		t.Errorf("gRPC is told of %x, %x, %x and %x", lighter.resets, light.resets, heavy.resets, last.resets)
	}
	for _, c := range []*conn{lighter, light, heavy, last} {
		c.Close()
	}
	checkEmpty(t, i)
}

func TestResetsStandBetweenFrames(t *testing.T) {
	for _, tt := range []struct {
		name string
		said func(*http2.Framer)
		cut  int // how many bytes of it are left to read when the call is reset
	}{
		{"within a header", func(f *http2.Framer) { f.WritePing(false, [8]byte{}) }, 12},
		{"within a payload", func(f *http2.Framer) { f.WritePing(false, [8]byte{}) }, 3},
		{"before a block of headers has ended", func(f *http2.Framer) {
			f.WriteHeaders(http2.HeadersFrameParam{StreamID: 3, BlockFragment: []byte{0x83}})
			f.WriteContinuation(3, true, []byte{0x86})
		}, 10},
		{"behind all frames", func(f *http2.Framer) { f.WritePing(false, [8]byte{}) }, 0},
	} {
		t.Run(tt.name, func(t *testing.T) {
			i := newIntake(Limits{})
			said := client(func(f *http2.Framer) { open(f, 1); tt.said(f) })
			c := i.follow(&script{said: iotest.OneByteReader(bytes.NewReader(said))}).(*conn) // which nothing is read ahead of
			if _, err := io.ReadFull(c, make([]byte, len(said)-tt.cut)); err != nil {
				t.Fatal(err)
			}
			c.reset(c.calls[1])
			rest, err := io.ReadAll(c)
			want := append(slices.Clone(said[len(said)-tt.cut:]), resetOf(1, cancelled)...)
			if err != nil || !bytes.Equal(rest, want) {
				t.Errorf("read %x, %v, want %x", rest, err, want)
			}
		})
	}
}

func TestLateness(t *testing.T) {
	const most = time.Second
	arriving := func(c *call) { c.receive(message(10)[:7], 0) }
	tests := []struct {
		name string
		call call
		do   func(*call)
		want string // at most; in time before
	}{
		{"no message", call{isTapped: true}, func(*call) {}, "its request has not come to its end"},
		{"a message and no end", call{isTapped: true}, func(c *call) { c.receive(message(10), 0) }, "its request has not come to its end"},
		{"no message of one who may say nothing", call{isTapped: true, isPatient: true}, func(*call) {}, ""},
		{"no message of a call that gRPC has not begun", call{}, func(*call) {}, ""},
		{"half a message", call{isTapped: true, isPatient: true}, arriving, "its message has not come to its end"},
		{"half a message more and more", call{isTapped: true}, func(c *call) { arriving(c); c.receive([]byte{1}, most) }, "its message has not come to its end"},
		{"a message and the end", call{isTapped: true, isWhole: true}, func(c *call) { c.receive(message(10), 0) }, ""},
		{"an answer", call{isWhole: true}, func(c *call) { c.answer(10, 0) }, "its answer is not taken"},
		{"half an answer", call{isWhole: true}, func(c *call) { c.answer(10, -most); c.send(5, 0) }, "its answer is not taken"},
		{"an answer that was taken", call{isWhole: true}, func(c *call) { c.answer(10, 0); c.send(10, 0) }, ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			c := tt.call
			tt.do(&c)
			if late := c.lateness(most, most); late != "" {
				t.Errorf("in time: %s", late)
			}
			if late := c.lateness(most+1, most); late != tt.want {
				t.Errorf("late: %q, want %q", late, tt.want)
			}
		})
	}
}

func TestTheEndOfARequest(t *testing.T) {
	for name, end := range map[string]func(*http2.Framer){
		"with the message":  func(f *http2.Framer) { f.WriteData(1, true, message(10)) },
		"by an empty frame": func(f *http2.Framer) { f.WriteData(1, true, nil) },
		"by trailers": func(f *http2.Framer) {
			f.WriteHeaders(http2.HeadersFrameParam{StreamID: 1, BlockFragment: []byte{0x83}, EndHeaders: true, EndStream: true})
		},
	} {
		t.Run(name, func(t *testing.T) {
			said := client(func(f *http2.Framer) { open(f, 1); end(f) })
			for cut, want := range map[int]bool{0: true, 1: false} {
				if c := follow(t, newIntake(Limits{}), said[:len(said)-cut], 3); c.calls[1].isWhole != want {
					t.Errorf("without the last %d bytes: ended %t, want %t", cut, c.calls[1].isWhole, want)
				}
			}
		})
	}
}

func TestStreamsThatAreOpenAreBounded(t *testing.T) {
	said := client(func(f *http2.Framer) {
		for n := range uint32(maxOpen + 1) {
			open(f, 2*n+1)
		}
	})
	c := newIntake(Limits{}).follow(&script{said: bytes.NewReader(said)})
	if _, err := io.Copy(io.Discard, c); !errors.Is(err, errTooManyStreams) {
		t.Errorf("the connection ended with %v", err)
	}
}

func TestPeers(t *testing.T) {
	for address, want := range map[string]string{
		"10.0.0.7:443":             "10.0.0.7/32",
		"[::ffff:10.0.0.7]:443":    "10.0.0.7/32",
		"[2001:db8:1:2:3:4:5:6]:1": "2001:db8:1:2::/64",
		"[fe80::1%lo]:1":           "fe80::/64",
		"/run/verdict.sock":        "invalid Prefix",
	} {
		if got := PeerOf(textAddr(address)).String(); got != want {
			t.Errorf("%s is of %s, want %s", address, got, want)
		}
	}
}

type textAddr string

func (textAddr) Network() string  { return "tcp" }
func (a textAddr) String() string { return string(a) }

// FuzzConn has clients say anything, and a server write anything: what passes is what
// was said, and nothing is left of it in the end.
func FuzzConn(f *testing.F) {
	said := client(func(f *http2.Framer) {
		f.WriteSettings()
		open(f, 1)
		f.WriteDataPadded(1, false, message(100)[:50], make([]byte, 3))
		f.WriteRSTStream(1, http2.ErrCodeCancel)
	})
	f.Add(said[len(http2.ClientPreface):], []byte{}, uint8(3))
	f.Add([]byte{0, 0, 1, dataFrame, padded, 0, 0, 0, 1, 9}, resetOf(1, 0), uint8(1))
	f.Fuzz(func(t *testing.T, said, written []byte, piece uint8) {
		said = append([]byte(http2.ClientPreface), said...)
		i := newIntake(Limits{Bytes: 64})
		c := i.follow(&script{said: bytes.NewReader(said)}).(*conn)
		var heard bytes.Buffer
		for buffer := make([]byte, int(piece)+1); ; {
			isReset := c.hasResets.Load() && c.incoming.isBetween()
			n, err := c.Read(buffer)
			if !isReset {
				heard.Write(buffer[:n])
			}
			if len(c.calls) > 0 && c.calls[c.last] != nil && !c.calls[c.last].isTapped {
				i.Answering(begin(t, c), 3)
			}
			if err != nil {
				break
			}
			wrote := written[:min(len(written), int(piece))]
			written = written[len(wrote):]
			c.Write(wrote)
		}
		if !bytes.Equal(heard.Bytes(), said) {
			t.Errorf("heard %x, want %x", heard.Bytes(), said)
		}
		if held := i.held.Load(); held > 64 {
			t.Errorf("%d bytes are held", held)
		}
		c.Close()
		checkEmpty(t, i)
	})
}

// FuzzFrames holds what is taken for the headers of frames against the framer of
// golang.org/x/net.
func FuzzFrames(f *testing.F) {
	f.Add(client(func(f *http2.Framer) { open(f, 1) })[len(http2.ClientPreface):], uint8(2))
	f.Fuzz(func(t *testing.T, text []byte, piece uint8) {
		var got []frame
		follower := frames{}
		for rest := text; len(rest) > 0; {
			n, of := follower.pass(rest[:min(len(rest), int(piece)+1)])
			if of == header {
				got = append(got, follower.frame)
			}
			rest = rest[n:]
		}
		var want []frame
		for rest := bytes.NewReader(text); ; {
			h, err := http2.ReadFrameHeader(rest)
			if err != nil {
				break
			}
			want = append(want, frame{int(h.Length), byte(h.Type), byte(h.Flags), h.StreamID})
			io.CopyN(io.Discard, rest, int64(h.Length))
		}
		if !slices.Equal(got, want) {
			t.Errorf("frames %v, want %v", got, want)
		}
	})
}
