package intake

import (
	"net/http"
	"net/http/httptest"
	"slices"
	"testing"
	"time"

	"go.uber.org/zap"

	"github.com/verdictpdp/verdict/api/authz"
)

// bound is a handler of one that answers, and what it refuses and counts.
func bound(limits Limits, next http.HandlerFunc) (handler http.Handler, refused *[]error, limited *[]authz.Limit) {
	refused, limited = new([]error), new([]authz.Limit)
	requests := NewRequests(Options{
		Limits: limits, Logger: zap.NewNop(), Limited: func(limit authz.Limit) { *limited = append(*limited, limit) },
	})
	return requests.Bound(next, func(_ http.ResponseWriter, _ *http.Request, err error) { *refused = append(*refused, err) }), refused, limited
}

func requestFrom(address string) *http.Request {
	r := httptest.NewRequest(http.MethodPost, "/", nil)
	r.RemoteAddr = address
	return r
}

// TestRequestsAtTheLimit has each request make the next, so that all are under way.
func TestRequestsAtTheLimit(t *testing.T) {
	const one, other, socket = "10.0.0.1:1", "10.0.0.2:1", "@"
	for _, tt := range []struct {
		name    string
		limits  Limits
		from    []string
		refused authz.Limit // of the last of them
	}{
		{"as many as all may", Limits{Calls: 3}, []string{one, other, other}, authz.OtherLimit},
		{"one more", Limits{Calls: 2}, []string{one, other, other}, authz.CallsLimit},
		{"as many as a peer may", Limits{CallsPerPeer: 2}, []string{one, other, one}, authz.OtherLimit},
		{"one more of a peer", Limits{CallsPerPeer: 2}, []string{one, other, one, one}, authz.CallsPerPeerLimit},
		{"more at a socket, which is of no peer", Limits{CallsPerPeer: 1}, []string{socket, socket}, authz.OtherLimit},
	} {
		t.Run(tt.name, func(t *testing.T) {
			var handler http.Handler
			served := 0
			next := func(http.ResponseWriter, *http.Request) {
				if served++; served < len(tt.from) {
					handler.ServeHTTP(httptest.NewRecorder(), requestFrom(tt.from[served]))
				}
			}
			handler, refused, limited := bound(tt.limits, next)
			for range 2 { // nothing is left of those before
				served, *refused, *limited = 0, nil, nil
				handler.ServeHTTP(httptest.NewRecorder(), requestFrom(tt.from[0]))
				var want []authz.Limit
				if tt.refused != authz.OtherLimit {
					want = []authz.Limit{tt.refused}
				}
				if !slices.Equal(*limited, want) || len(*refused) != len(want) {
					t.Fatalf("refused %v by %v, want %v", *refused, *limited, want)
				}
				for _, err := range *refused {
					if authz.KindOf(err) != authz.Overloaded || authz.LimitOf(err) != tt.refused || authz.RetryAfterOf(err) == 0 {
						t.Errorf("refused with %v", err)
					}
				}
			}
		})
	}
}

// TestPeersWithoutRequestsAreForgotten has requests come from many addresses.
func TestPeersWithoutRequestsAreForgotten(t *testing.T) {
	requests := NewRequests(Options{Logger: zap.NewNop()})
	handler := requests.Bound(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {
		if n := len(requests.byPeer); n != 1 {
			t.Errorf("%d peers are known while one asks", n)
		}
	}), nil)
	for _, from := range []string{"10.0.0.1:1", "10.0.0.2:1", "[2001:db8::1]:1", "@"} {
		handler.ServeHTTP(httptest.NewRecorder(), requestFrom(from))
	}
	if n := len(requests.byPeer); n != 0 {
		t.Errorf("%d peers are known when nobody asks", n)
	}
}

// A during does something while an answer is written.
type during struct {
	*httptest.ResponseRecorder
	do func()
}

func (d during) Write(text []byte) (int, error) {
	d.do()
	return len(text), nil
}

func TestAnswersAreHeldWhileTheyAreWritten(t *testing.T) {
	for _, tt := range []struct {
		name string
		size int
		held int64
	}{
		{"a small one, which the system takes at once", freeBytes, 0},
		{"one byte more", freeBytes + 1, freeBytes + 1},
	} {
		t.Run(tt.name, func(t *testing.T) {
			requests := NewRequests(Options{Logger: zap.NewNop()})
			expect := func(want int64) {
				if requests.held != want {
					t.Errorf("%d bytes are held, want %d", requests.held, want)
				}
			}
			requests.Bound(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
				for range 2 {
					w.Write(make([]byte, tt.size))
					expect(0)
				}
			}), nil).ServeHTTP(during{httptest.NewRecorder(), func() { expect(tt.held) }}, requestFrom("10.0.0.1:1"))
		})
	}
}

// A reader takes an answer only when it is read to, or given up.
type reader struct {
	*httptest.ResponseRecorder
	taken   chan struct{}
	isGiven bool
}

func (r *reader) Write(text []byte) (int, error) {
	<-r.taken
	return len(text), nil
}

func (r *reader) SetWriteDeadline(time.Time) error {
	r.isGiven = true
	close(r.taken)
	return nil
}

// TestTheLargestAnswerIsGivenUp has three answers be written that nobody reads.
func TestTheLargestAnswerIsGivenUp(t *testing.T) {
	const unit = freeBytes + 1
	requests := NewRequests(Options{Limits: Limits{Bytes: 6 * unit}, Logger: zap.NewNop()})
	started, ended := make(chan struct{}), make(chan struct{})
	write := func(from string, size int) *reader {
		r := &reader{ResponseRecorder: httptest.NewRecorder(), taken: make(chan struct{})}
		handler := requests.Bound(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			requests.hold(w.(*writing), int64(size))
			started <- struct{}{}
			w.(*writing).ResponseWriter.Write(make([]byte, size))
			requests.hold(w.(*writing), -int64(size))
		}), nil)
		go func() {
			handler.ServeHTTP(r, requestFrom(from))
			ended <- struct{}{}
		}()
		<-started
		return r
	}
	light := write("10.0.0.1:1", 2*unit)
	heavy := write("10.0.0.2:1", 3*unit)
	write("10.0.0.2:2", unit) // as much as may be
	if heavy.isGiven || light.isGiven {
		t.Fatal("an answer within the limit was given up")
	}
	last := write("10.0.0.3:1", unit)
	<-ended
	if !heavy.isGiven || light.isGiven || last.isGiven {
		t.Errorf("given up: %t, %t and %t, want the largest of the peer that has most", light.isGiven, heavy.isGiven, last.isGiven)
	}
	if requests.held != 4*unit {
		t.Errorf("%d bytes are held, want %d", requests.held, 4*unit)
	}
}
