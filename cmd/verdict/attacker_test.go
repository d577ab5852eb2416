package main

import (
	"bytes"
	"crypto/tls"
	"encoding/binary"
	"fmt"
	"io"
	"net"
	"runtime"
	"slices"
	"sync"
	"testing"
	"time"

	"golang.org/x/net/http2"
	"golang.org/x/net/http2/hpack"
	"google.golang.org/grpc/codes"
	grpcstatus "google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"

	verdictv1 "github.com/verdictpdp/verdict/api/verdict/v1"
)

// An attacker is a client of HTTP/2 that says what it likes on one connection. What it
// hears is noted, if it listens at all.
type attacker struct {
	t      *testing.T
	conn   net.Conn
	framer *http2.Framer
	fields bytes.Buffer
	hpack  *hpack.Encoder
	last   uint32 // the stream that was opened last
	// sending orders those who send at once.
	sending sync.Mutex

	mu      sync.Mutex
	changed *sync.Cond
	// window is how much may be sent on a stream, and on stream 0 of all together.
	window  map[uint32]int64
	initial int64
	resets  map[uint32]http2.ErrCode
	status  map[uint32]string // grpc-status and grpc-message, or :status
	data    map[uint32]int    // bytes of answers
	goAway  http2.ErrCode
	ended   error
}

// anotherPeer is where attackers are from, and bystanders are not.
const anotherPeer = "127.0.0.2"

// attack connects to an address, over TLS if there is a configuration.
func attack(t *testing.T, address string, over *tls.Config, settings ...http2.Setting) *attacker {
	t.Helper()
	dialer := net.Dialer{LocalAddr: &net.TCPAddr{IP: net.ParseIP(anotherPeer)}}
	conn, err := dialer.DialContext(t.Context(), "tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	if over != nil {
		secured := tls.Client(conn, over)
		if err := secured.HandshakeContext(t.Context()); err != nil {
			t.Fatal(err)
		}
		conn = secured
	}
	a := &attacker{
		t: t, conn: conn, framer: http2.NewFramer(conn, conn),
		window: map[uint32]int64{0: 65_535}, initial: 65_535,
		resets: map[uint32]http2.ErrCode{}, status: map[uint32]string{}, data: map[uint32]int{},
	}
	a.changed = sync.NewCond(&a.mu)
	a.hpack = hpack.NewEncoder(&a.fields)
	a.framer.ReadMetaHeaders = hpack.NewDecoder(4096, nil)
	a.say(http2.ClientPreface)
	if err := a.framer.WriteSettings(settings...); err != nil {
		t.Fatal(err)
	}
	return a
}

func (a *attacker) say(text string) {
	a.t.Helper()
	if _, err := io.WriteString(a.conn, text); err != nil {
		a.t.Fatal(err)
	}
}

// listen notes what is heard from here on.
func (a *attacker) listen() *attacker {
	go func() {
		for {
			frame, err := a.framer.ReadFrame()
			a.mu.Lock()
			if err != nil {
				a.ended = err
				a.changed.Broadcast()
				a.mu.Unlock()
				return
			}
			a.note(frame)
			a.changed.Broadcast()
			a.mu.Unlock()
		}
	}()
	return a
}

func (a *attacker) note(frame http2.Frame) {
	stream := frame.Header().StreamID
	switch frame := frame.(type) {
	case *http2.MetaHeadersFrame:
		for _, field := range frame.Fields {
			isStatus := field.Name == "grpc-status" || field.Name == "grpc-message" || field.Name == ":status" && field.Value != "200"
			if isStatus && field.Value != "" {
				a.status[stream] += field.Value + " "
			}
		}
	case *http2.DataFrame:
		a.data[stream] += len(frame.Data())
	case *http2.RSTStreamFrame:
		a.resets[stream] = frame.ErrCode
	case *http2.GoAwayFrame:
		a.goAway = frame.ErrCode
	case *http2.WindowUpdateFrame:
		a.window[stream] += int64(frame.Increment)
	case *http2.SettingsFrame:
		if initial, set := frame.Value(http2.SettingInitialWindowSize); set {
			a.initial = int64(initial)
		}
	}
}

// patience is how long is waited for what a slow machine comes to in the end.
const patience = time.Minute

// await waits until something holds of what was heard, or the connection has ended.
func (a *attacker) await(what string, holds func() bool) {
	a.t.Helper()
	late := time.AfterFunc(patience, a.changed.Broadcast)
	defer late.Stop()
	end := time.Now().Add(patience)
	a.mu.Lock()
	defer a.mu.Unlock()
	for !holds() {
		if a.ended != nil || time.Now().After(end) {
			a.t.Fatalf("%s: not so: %.200s, %.500s, GOAWAY %v, the connection ended with %v", what, fmt.Sprint("resets ", a.resets), fmt.Sprint("statuses ", a.status), a.goAway, a.ended)
		}
		a.changed.Wait()
	}
}

// open opens a stream with the headers of a call of gRPC, and any others, which may
// stand in their place.
func (a *attacker) open(method string, further ...hpack.HeaderField) uint32 {
	a.t.Helper()
	a.sending.Lock()
	defer a.sending.Unlock()
	if a.last == 0 {
		a.last = 1
	} else {
		a.last += 2
	}
	a.mu.Lock()
	a.window[a.last] = a.initial
	a.mu.Unlock()
	if err := a.framer.WriteHeaders(http2.HeadersFrameParam{StreamID: a.last, BlockFragment: a.block(method, further...), EndHeaders: true}); err != nil && !a.hasEnded() {
		a.t.Fatal(err)
	}
	return a.last
}

// block is a block of headers.
func (a *attacker) block(method string, further ...hpack.HeaderField) []byte {
	a.t.Helper()
	a.fields.Reset()
	fields := []hpack.HeaderField{
		{Name: ":method", Value: "POST"}, {Name: ":scheme", Value: "http"}, {Name: ":path", Value: method},
		{Name: ":authority", Value: "verdict"}, {Name: "content-type", Value: "application/grpc"}, {Name: "te", Value: "trailers"},
	}
	fields = slices.DeleteFunc(fields, func(field hpack.HeaderField) bool {
		return slices.ContainsFunc(further, func(other hpack.HeaderField) bool { return other.Name == field.Name })
	})
	for _, field := range append(fields, further...) {
		if err := a.hpack.WriteField(field); err != nil {
			a.t.Fatal(err)
		}
	}
	return a.fields.Bytes()
}

// hasEnded waits a moment for the end of the connection.
func (a *attacker) hasEnded() bool {
	for range 100 {
		a.mu.Lock()
		ended := a.ended
		a.mu.Unlock()
		if ended != nil {
			return true
		}
		time.Sleep(10 * time.Millisecond)
	}
	return false
}

// send sends data as far as the windows let it, which it waits for, until the stream or
// the connection has ended.
func (a *attacker) send(stream uint32, data []byte) {
	const frame = 16 << 10
	for len(data) > 0 {
		a.mu.Lock()
		for a.window[0] <= 0 || a.window[stream] <= 0 {
			if _, isReset := a.resets[stream]; isReset || a.ended != nil {
				a.mu.Unlock()
				return
			}
			a.changed.Wait()
		}
		n := min(int64(len(data)), a.window[0], a.window[stream], frame)
		a.window[0] -= n
		a.window[stream] -= n
		a.mu.Unlock()
		a.sending.Lock()
		err := a.framer.WriteData(stream, false, data[:n])
		a.sending.Unlock()
		if err != nil {
			return
		}
		data = data[n:]
	}
}

// sendMessage sends a message and nothing after it.
func (a *attacker) sendMessage(stream uint32, message proto.Message) {
	a.t.Helper()
	data, err := proto.Marshal(message)
	if err != nil {
		a.t.Fatal(err)
	}
	a.send(stream, append(prefixOf(len(data)), data...))
}

// prefixOf stands before a message of gRPC of so many bytes.
func prefixOf(bytes int) []byte { return binary.BigEndian.AppendUint32([]byte{0}, uint32(bytes)) }

// check asks for a decision, and awaits it.
func (a *attacker) check() {
	a.t.Helper()
	stream := a.open(verdictv1.AccessService_CheckAccess_FullMethodName)
	a.sendMessage(stream, aboutPlan())
	if err := a.framer.WriteData(stream, true, nil); err != nil {
		a.t.Fatal(err)
	}
	a.await("a decision", func() bool { return a.status[stream] == "0 " && a.data[stream] > 0 })
}

// checkUntilServed asks for decisions until one is not refused.
func (a *attacker) checkUntilServed() {
	a.t.Helper()
	for end := time.Now().Add(patience); ; {
		stream := a.open(checkMethod)
		a.sendMessage(stream, aboutPlan())
		if err := a.framer.WriteData(stream, true, nil); err != nil {
			a.t.Fatal(err)
		}
		a.await("an answer", func() bool { return a.status[stream] != "" })
		if a.hasHeard(func() bool { return a.status[stream] == "0 " }) {
			return
		}
		if time.Now().After(end) {
			a.t.Fatal("no call is served")
		}
	}
}

// hasHeard reports whether something holds of what was heard.
func (a *attacker) hasHeard(holds func() bool) bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	return holds()
}

func aboutPlan() *verdictv1.CheckAccessRequest {
	return &verdictv1.CheckAccessRequest{
		Subject: &verdictv1.Subject{Type: "user", Id: "mina"}, Action: &verdictv1.Action{Name: "read"},
		Resource: &verdictv1.Resource{Type: "document", Id: "plan"},
	}
}

// bystanding asks for decisions from a client of another peer until it is stopped, all
// of which have to be answered, and one at least.
func bystanding(t *testing.T, r *remote) (stop func()) {
	t.Helper()
	conn, err := r.dial()
	if err != nil {
		t.Fatal(err)
	}
	client := verdictv1.NewAccessServiceClient(conn)
	stopping := make(chan struct{})
	var asking sync.WaitGroup
	asking.Go(func() {
		defer conn.Close()
		for isAnswered := false; ; {
			select {
			case <-stopping:
				if isAnswered {
					return
				}
			case <-time.After(5 * time.Millisecond):
			}
			start := time.Now()
			response, err := client.CheckAccess(t.Context(), aboutPlan())
			if isAnswered = grpcstatus.Code(err) != codes.ResourceExhausted; !isAnswered {
				continue // told to try again, on a machine with other work
			}
			if err != nil || !response.GetAllowed() {
				t.Errorf("a bystander is answered %v, %v", response, err)
				return
			}
			if took := time.Since(start); took > patience/2 {
				t.Errorf("a bystander was held up for %v", took)
			}
		}
	})
	return func() {
		close(stopping)
		asking.Wait()
	}
}

// skipShort skips what takes long, or what the race detector takes memory for, which is
// run with -short.
func skipShort(t *testing.T) {
	t.Helper()
	if testing.Short() {
		t.Skip("measures memory, and takes a second or more")
	}
}

// A footprint is what a process takes.
type footprint struct {
	heap       uint64
	goroutines int
}

func measureFootprint() footprint {
	runtime.GC()
	var memory runtime.MemStats
	runtime.ReadMemStats(&memory)
	return footprint{memory.HeapAlloc, runtime.NumGoroutine()}
}

// checkGrowth checks that no more memory is taken than so much above what was, during an
// attack. Both sides of it are in this process.
func (f footprint) checkGrowth(t *testing.T, most uint64) {
	t.Helper()
	if heap := measureFootprint().heap; heap > f.heap+most {
		t.Errorf("the heap has grown from %d to %d KiB, by more than %d", f.heap>>10, heap>>10, most>>10)
	}
}

// awaitGrowth waits until no more memory is taken than so much above what was.
func (f footprint) awaitGrowth(t *testing.T, most uint64) {
	t.Helper()
	for end := time.Now().Add(patience); measureFootprint().heap > f.heap+most; time.Sleep(50 * time.Millisecond) {
		if time.Now().After(end) {
			f.checkGrowth(t, most)
			return
		}
	}
}

// awaitReturn waits until the goroutines and the memory are those that were, give or
// take what a server and a runtime keep.
func (f footprint) awaitReturn(t *testing.T) {
	t.Helper()
	const spareGoroutines, spareHeap = 20, 16 << 20
	for end := time.Now().Add(patience); ; time.Sleep(50 * time.Millisecond) {
		now := measureFootprint()
		if now.goroutines <= f.goroutines+spareGoroutines && now.heap <= f.heap+spareHeap {
			return
		}
		if time.Now().After(end) {
			stacks := make([]byte, 1<<20)
			t.Fatalf("the heap has gone from %d to %d KiB, and the goroutines from %d to %d:\n%s", f.heap>>10, now.heap>>10, f.goroutines, now.goroutines, stacks[:runtime.Stack(stacks, true)])
		}
	}
}
