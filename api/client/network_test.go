package client

import (
	"context"
	"errors"
	"net"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/verdictpdp/verdict/api/authz"
	verdictv1 "github.com/verdictpdp/verdict/api/verdict/v1"
)

// within5s is a context of enough time for what should come at once.
func within5s(t *testing.T) context.Context {
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
	t.Cleanup(cancel)
	return ctx
}

func TestTargets(t *testing.T) {
	tests := []struct {
		name, target string
		options      []Option
		wantErr      string
	}{
		{"loopback", "127.0.0.1:8181", nil, ""},
		{"all of loopback", "127.9.9.9:8181", nil, ""},
		{"loopback of IPv6", "[::1]:8181", nil, ""},
		{"loopback of IPv4 in IPv6", "[::ffff:127.0.0.1]:8181", nil, ""},
		{"localhost", "localhost:8181", nil, ""},
		{"a Unix socket", "unix:///run/verdict.sock", nil, ""},
		{"several", "127.0.0.1:8181, 127.0.0.1:8182,unix:///run/verdict.sock", nil, ""},
		{"elsewhere", "10.0.0.7:8181", nil, "is not on loopback: give WithCA or WithTLS"},
		{"a name elsewhere", "localhost.example.com:8181", nil, "is not on loopback"},
		{"one of several elsewhere", "127.0.0.1:8181,verdict.example.com:8181", nil, "is not on loopback"},
		{"any address", "0.0.0.0:8181", nil, "is not on loopback"},
		{"elsewhere with TLS", "verdict.example.com:8181", []Option{WithTLS(nil)}, ""},
		{"elsewhere, said in so many words", "10.0.0.7:8181", []Option{WithPlaintextOverNetwork()}, ""},
		{"a token elsewhere", "10.0.0.7:8181", []Option{WithPlaintextOverNetwork(), WithTokenFile("t")}, "a token does not go over a network without TLS"},
		{"a token elsewhere with TLS", "10.0.0.7:8181", []Option{WithTLS(nil), WithTokenFile("t")}, ""},
		{"a token on loopback", "127.0.0.1:8181", []Option{WithTokenFile("t")}, ""},
		{"nothing", "", nil, "is no address of a server"},
		{"no port", "127.0.0.1", nil, "is no address of a server"},
		{"an empty port", "127.0.0.1:", nil, "is no address of a server"},
		{"no host", ":8181", nil, "is no address of a server"},
		{"a URL", "http://127.0.0.1:8181", nil, "is no address of a server"},
		{"a socket without a path", "unix://", nil, "is no address of a server"},
		{"an empty one of several", "127.0.0.1:8181,", nil, "is no address of a server"},
		{"a tenant that is none", "127.0.0.1:8181", []Option{WithTenant("Blue")}, "tenant: tenant name"},
		{"no timeout", "127.0.0.1:8181", []Option{WithTimeout(0)}, "timeout: 0s"},
		{"a CA that is not there", "127.0.0.1:8181", []Option{WithCA("nowhere.pem")}, "ca: open nowhere.pem"},
		{"a CA that is none", "127.0.0.1:8181", []Option{WithCA("network_test.go")}, "holds no PEM certificate"},
		{"the most items", "127.0.0.1:8181", []Option{WithCoalescing(Coalescing{Items: MaxBatch, Bytes: maxBatchBytes, Wait: time.Second})}, ""},
		{"too many items", "127.0.0.1:8181", []Option{WithCoalescing(Coalescing{Items: MaxBatch + 1})}, "coalescing.items"},
		{"too many bytes", "127.0.0.1:8181", []Option{WithCoalescing(Coalescing{Bytes: maxBatchBytes + 1})}, "coalescing.bytes"},
		{"too long a wait", "127.0.0.1:8181", []Option{WithCoalescing(Coalescing{Wait: time.Second + 1})}, "coalescing.wait"},
		{"no attempt", "127.0.0.1:8181", []Option{WithAttempts(0)}, "attempts: 0"},
		{"as many attempts as gRPC makes", "127.0.0.1:8181", []Option{WithAttempts(maxAttempts)}, ""},
		{"more", "127.0.0.1:8181", []Option{WithAttempts(maxAttempts + 1)}, "attempts: 6"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			c, err := New(tt.target, tt.options...)
			if err == nil {
				defer c.Close()
			}
			if (err == nil) != (tt.wantErr == "") || err != nil && (!strings.Contains(err.Error(), tt.wantErr) || authz.KindOf(err) != authz.Invalid) {
				t.Errorf("error = %v, want %q", err, tt.wantErr)
			}
		})
	}
}

func TestUnixSocket(t *testing.T) {
	address := startVerdict(t, &decider{}, socketIn(t), nil).address
	for _, options := range [][]Option{nil, {WithTokenFile(tokenIn(t, "s3cret"))}} {
		allowed, err := dialTo(t, address, options...).Allowed(within5s(t), "user:mina", "read", "ticket:1")
		if !allowed || err != nil {
			t.Errorf("allowed = %t, %v", allowed, err)
		}
	}
}

func TestServerThatRestarts(t *testing.T) {
	v := startVerdict(t, &decider{}, socketIn(t), nil)
	c := dialTo(t, v.address)
	for range 3 {
		if err := c.WaitReady(within5s(t)); err != nil {
			t.Fatal(err)
		}
		for _, err := range checkTogether(t, c, 20) {
			if err != nil {
				t.Error(err)
			}
		}
		v.stop()
		waitFor(t, func() bool { return c.Ready() != nil })
		for _, err := range checkTogether(t, c, 20) {
			if authz.KindOf(err) != authz.Unavailable {
				t.Errorf("while the server is away: %v", err)
			}
		}
		v.start()
	}
}

// A server that goes away fails at most the checks that are under way, with kind
// Unavailable.
func TestServerThatIsReplacedUnderLoad(t *testing.T) {
	noneLeft(t)
	v := startVerdict(t, &decider{}, socketIn(t), nil)
	c := dialTo(t, v.address, WithWaitForReady())
	stop := make(chan struct{})
	var asking sync.WaitGroup
	var asked, failed atomic.Int64
	const callers = 16
	for range callers {
		asking.Go(func() {
			for {
				select {
				case <-stop:
					return
				default:
				}
				decision, err := c.Check(t.Context(), requestAbout("1"))
				asked.Add(1)
				if err != nil {
					failed.Add(1)
					if decision.Allowed || authz.KindOf(err) != authz.Unavailable {
						t.Errorf("decision = %+v, %v", decision, err)
					}
				} else if !decision.Allowed {
					t.Errorf("decision = %+v", decision)
				}
			}
		})
	}
	const restarts = 5
	for range restarts {
		before := asked.Load()
		waitFor(t, func() bool { return asked.Load() > before+100 })
		v.stop()
		v.start()
	}
	before := asked.Load()
	waitFor(t, func() bool { return asked.Load() > before+100 })
	close(stop)
	asking.Wait()
	if failed.Load() > callers*restarts {
		t.Errorf("%d of %d checks failed, more than were under way", failed.Load(), asked.Load())
	}
}

// A server that takes connections and never says a word.
func TestServerThatNeverAnswers(t *testing.T) {
	noneLeft(t)
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	t.Run("and never greets", func(t *testing.T) {
		c := dialTo(t, listener.Addr().String(), WithTimeout(100*time.Millisecond))
		for _, err := range checkTogether(t, c, 5) {
			if authz.KindOf(err) != authz.DeadlineExceeded || !errors.Is(err, context.DeadlineExceeded) {
				t.Errorf("error = %v", err)
			}
		}
		if err := c.Ready(); authz.KindOf(err) != authz.Unavailable {
			t.Errorf("ready: %v", err)
		}
		soon, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
		defer cancel()
		if err := c.WaitReady(soon); authz.KindOf(err) != authz.DeadlineExceeded {
			t.Errorf("wait for it: %v", err)
		}
	})
	t.Run("but greets", func(t *testing.T) {
		d := &decider{decide: func(ctx context.Context, _ *authz.Request) (authz.Decision, error) {
			<-ctx.Done()
			return authz.Decision{}, ctx.Err()
		}}
		c := dialTo(t, startVerdict(t, d, "", nil).address, WithTimeout(100*time.Millisecond))
		for _, err := range checkTogether(t, c, 5) {
			if authz.KindOf(err) != authz.DeadlineExceeded || !errors.Is(err, context.DeadlineExceeded) {
				t.Errorf("error = %v", err)
			}
		}
	})
}

func TestDeadlines(t *testing.T) {
	var left atomic.Int64
	d := &decider{decide: func(ctx context.Context, _ *authz.Request) (authz.Decision, error) {
		end, has := ctx.Deadline()
		if !has {
			return authz.Decision{}, errors.New("there is no deadline")
		}
		left.Store(int64(time.Until(end)))
		return authz.Decision{Allowed: true, ID: "d"}, nil
	}}
	address := startVerdict(t, d, "", nil).address
	c := dialTo(t, address, WithTimeout(time.Minute))
	check := func(t *testing.T, ctx context.Context, most time.Duration) {
		t.Helper()
		if _, err := c.Check(ctx, requestAbout("1")); err != nil {
			t.Fatal(err)
		}
		if left := time.Duration(left.Load()); left > most || left < most/2 {
			t.Errorf("the server has %v, want a bit less than %v", left, most)
		}
	}
	t.Run("none is the client's", func(t *testing.T) { check(t, t.Context(), time.Minute) })
	t.Run("one is the caller's, though later", func(t *testing.T) {
		ctx, cancel := context.WithTimeout(t.Context(), time.Hour)
		defer cancel()
		check(t, ctx, time.Hour)
	})
	over, cancel := context.WithDeadline(t.Context(), time.Now())
	defer cancel()
	gone, leave := context.WithCancel(t.Context())
	leave()
	for name, ctx := range map[string]context.Context{"one that is over": over, "a caller that is gone": gone} {
		t.Run(name+" asks nothing", func(t *testing.T) {
			before := len(d.asked)
			_, err := c.Check(ctx, requestAbout("1"))
			_, batchErr := c.CheckBatch(ctx, []authz.Request{requestAbout("1")}, BatchOptions{})
			for _, err := range []error{err, batchErr} {
				if !errors.Is(err, ctx.Err()) || authz.KindOf(err) != authz.KindOf(ctx.Err()) {
					t.Errorf("error = %v", err)
				}
			}
			if len(d.asked) != before {
				t.Error("the server was asked")
			}
		})
	}
}

func TestTryingAgain(t *testing.T) {
	tests := []struct {
		name     string
		options  []Option
		code     codes.Code
		failures int32
		asked    int32
		wantErr  bool
	}{
		{"a server that comes back in time", nil, codes.Unavailable, 2, 3, false},
		{"one that does not", nil, codes.Unavailable, 9, 3, true},
		{"more patience", []Option{WithAttempts(5)}, codes.Unavailable, 4, 5, false},
		{"none at all", []Option{WithAttempts(1)}, codes.Unavailable, 1, 1, true},
		{"a fault is not asked twice", nil, codes.Internal, 1, 1, true},
		{"nor is what is refused", nil, codes.InvalidArgument, 1, 1, true},
		{"nor what is too much", nil, codes.ResourceExhausted, 1, 1, true},
		{"nor what took too long", nil, codes.DeadlineExceeded, 1, 1, true},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			var asked atomic.Int32
			address := startStandIn(t, func(ctx context.Context, r *verdictv1.CheckAccessRequest) (*verdictv1.CheckAccessResponse, error) {
				if asked.Add(1) <= tt.failures {
					return nil, status.Error(tt.code, "not now")
				}
				return allowAll(ctx, r)
			})
			decision, err := dialTo(t, address, tt.options...).Check(within5s(t), requestAbout("1"))
			if (err != nil) != tt.wantErr || decision.Allowed == tt.wantErr || asked.Load() != tt.asked {
				t.Errorf("decision = %+v, %v, after %d times, want %d", decision, err, asked.Load(), tt.asked)
			}
		})
	}
}

// Many callers of a server in trouble ask it hardly more often than there are
// checks.
func TestOutageIsNotMadeWorse(t *testing.T) {
	var asked atomic.Int32
	address := startStandIn(t, func(context.Context, *verdictv1.CheckAccessRequest) (*verdictv1.CheckAccessResponse, error) {
		asked.Add(1)
		return nil, status.Error(codes.Unavailable, "overrun")
	})
	c := dialTo(t, address, WithoutCoalescing())
	const checks = 500
	for _, err := range checkTogether(t, c, checks) {
		if authz.KindOf(err) != authz.Unavailable {
			t.Errorf("error = %v", err)
		}
	}
	if most := int32(checks + maxTokens); asked.Load() > most {
		t.Errorf("%d checks asked %d times, want at most %d", checks, asked.Load(), most)
	}
}

func TestNoAttemptAfterTheDeadline(t *testing.T) {
	var asked atomic.Int32
	address := startStandIn(t, func(context.Context, *verdictv1.CheckAccessRequest) (*verdictv1.CheckAccessResponse, error) {
		asked.Add(1)
		return nil, status.Error(codes.Unavailable, "not now")
	})
	c := dialTo(t, address, WithoutCoalescing(), WithAttempts(maxAttempts), WithTimeout(30*time.Millisecond))
	for _, err := range checkTogether(t, c, 20) {
		if kind := authz.KindOf(err); kind != authz.DeadlineExceeded && kind != authz.Unavailable {
			t.Errorf("error = %v", err)
		}
	}
	time.Sleep(50 * time.Millisecond) // for what was sent before
	before := asked.Load()
	time.Sleep(500 * time.Millisecond) // for several more attempts
	if after := asked.Load(); after != before {
		t.Errorf("the server was asked %d times after the deadline", after-before)
	}
}

func TestServerThatIsNotReady(t *testing.T) {
	var ready atomic.Bool
	state := func() error {
		if !ready.Load() {
			return errors.New("no policy yet")
		}
		return nil
	}
	c := dialTo(t, startVerdict(t, &decider{}, "", state).address)
	if err := c.Ready(); authz.KindOf(err) != authz.Unavailable {
		t.Errorf("ready: %v", err)
	}
	if _, err := c.Check(within5s(t), requestAbout("1")); authz.KindOf(err) != authz.Unavailable || err.Error() != "verdict at "+c.target+": the server says that it is not ready, and its /readyz why" {
		t.Errorf("before it is ready: %v", err)
	}
	ready.Store(true)
	if err := c.WaitReady(within5s(t)); err != nil {
		t.Fatal(err)
	}
	if err := c.Ready(); err != nil {
		t.Error(err)
	}
	if _, err := c.Check(within5s(t), requestAbout("1")); err != nil {
		t.Error(err)
	}
}

// Of several servers, those that say that they are not ready are passed over.
func TestServersThatAreNotReadyArePassedOver(t *testing.T) {
	unready := &decider{}
	good := startVerdict(t, &decider{}, "", nil).address
	bad := startVerdict(t, unready, "", func() error { return errors.New("no policy yet") }).address
	c := dialTo(t, bad+","+good)
	for range 50 {
		if _, err := c.Check(within5s(t), requestAbout("1")); err != nil {
			t.Fatal(err)
		}
	}
	if len(unready.asked) > 0 {
		t.Errorf("the one that is not ready was asked %d times", len(unready.asked))
	}
}

func TestWaitForReady(t *testing.T) {
	socket := socketIn(t)
	c := dialTo(t, socket, WithWaitForReady())
	done := make(chan error, 1)
	go func() {
		_, err := c.Check(within5s(t), requestAbout("1"))
		done <- err
	}()
	time.Sleep(20 * time.Millisecond)
	startVerdict(t, &decider{}, socket, nil)
	if err := <-done; err != nil {
		t.Error(err)
	}
}

func TestSeveralServersAreAskedInTurn(t *testing.T) {
	var deciders []*decider
	var servers []*verdict
	var targets []string
	for _, address := range []string{"", socketIn(t), ""} {
		d := &decider{}
		v := startVerdict(t, d, address, nil)
		deciders, servers, targets = append(deciders, d), append(servers, v), append(targets, v.address)
	}
	c := dialTo(t, strings.Join(targets, ","))
	asked := func() []int {
		var counts []int
		for _, d := range deciders {
			d.mu.Lock()
			counts = append(counts, len(d.asked))
			d.mu.Unlock()
		}
		return counts
	}
	ask := func(n int) {
		t.Helper()
		for range n {
			if _, err := c.Check(within5s(t), requestAbout("1")); err != nil {
				t.Fatal(err)
			}
		}
	}
	waitFor(t, func() bool { ask(1); return slices.Min(asked()) > 0 }) // all are connected
	before := asked()
	ask(30)
	for i, n := range asked() {
		if n-before[i] != 10 {
			t.Errorf("server %d was asked %d of 30 times, want 10", i, n-before[i])
		}
	}
	servers[0].stop()
	ask(30)
}

func TestClosedClient(t *testing.T) {
	noneLeft(t)
	held := make(chan struct{})
	d := &decider{decide: func(ctx context.Context, _ *authz.Request) (authz.Decision, error) {
		select {
		case <-held:
		case <-ctx.Done():
		}
		return authz.Decision{}, ctx.Err()
	}}
	c, err := New(startVerdict(t, d, "", nil).address)
	if err != nil {
		t.Fatal(err)
	}
	errs := make(chan []error)
	go func() { errs <- checkTogether(t, c, 10) }()
	waitFor(t, func() bool { d.mu.Lock(); defer d.mu.Unlock(); return len(d.asked) >= 2 })
	for range 2 {
		if err := c.Close(); err != nil {
			t.Fatal(err)
		}
	}
	_, late := c.Check(t.Context(), requestAbout("1"))
	_, batch := c.CheckBatch(t.Context(), []authz.Request{requestAbout("1")}, BatchOptions{})
	for _, err := range append(<-errs, late, batch, c.WaitReady(within5s(t))) {
		if authz.KindOf(err) != authz.Unavailable || !strings.Contains(err.Error(), "the client is closed") {
			t.Errorf("error = %v", err)
		}
	}
	close(held)
}
