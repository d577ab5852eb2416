package client

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"

	verdictv1 "github.com/verdictpdp/verdict/api/verdict/v1"
)

// A pretender answers in place of a server, and keeps what it was asked. The
// decision about a resource has the resource's id as its own.
type pretender struct {
	// latency is how long the n-th call takes; nil means 1 ms.
	latency func(n int) time.Duration
	// fails is the error of the n-th call; nil means none.
	fails func(n int, ids []string) error
	// item changes the answer about a resource; nil leaves it.
	item func(id string, batch int, answer *verdictv1.CheckAccessResponse)

	mu    sync.Mutex
	calls []*asked
}

// An asked is one call.
type asked struct {
	unary      bool
	tenant     string
	ids        []string
	bytes      int
	start, end time.Time
	err        error
}

func (p *pretender) CheckAccess(ctx context.Context, in *verdictv1.CheckAccessRequest, _ ...grpc.CallOption) (*verdictv1.CheckAccessResponse, error) {
	id := in.GetResource().GetId()
	err := p.serve(ctx, &asked{unary: true, tenant: in.GetTenant(), ids: []string{id}, bytes: proto.Size(in)})
	if err != nil {
		return nil, err
	}
	return p.answer(id, 1), nil
}

func (p *pretender) BatchCheckAccess(ctx context.Context, in *verdictv1.BatchCheckAccessRequest, _ ...grpc.CallOption) (*verdictv1.BatchCheckAccessResponse, error) {
	a := &asked{tenant: in.GetTenant(), bytes: proto.Size(in)}
	for _, item := range in.GetItems() {
		a.ids = append(a.ids, item.GetResource().GetId())
	}
	if err := p.serve(ctx, a); err != nil {
		return nil, err
	}
	response := &verdictv1.BatchCheckAccessResponse{}
	for _, id := range a.ids {
		response.Responses = append(response.Responses, p.answer(id, len(a.ids)))
	}
	return response, nil
}

func (p *pretender) serve(ctx context.Context, a *asked) error {
	p.mu.Lock()
	n := len(p.calls)
	p.calls = append(p.calls, a)
	a.start = time.Now()
	p.mu.Unlock()
	latency := time.Millisecond
	if p.latency != nil {
		latency = p.latency(n)
	}
	select {
	case <-time.After(latency):
		if p.fails != nil {
			a.err = p.fails(n, a.ids)
		}
	case <-ctx.Done():
		a.err = status.FromContextError(ctx.Err()).Err()
	}
	a.end = time.Now()
	return a.err
}

func (p *pretender) answer(id string, batch int) *verdictv1.CheckAccessResponse {
	answer := &verdictv1.CheckAccessResponse{Allowed: true, DecisionId: id}
	if p.item != nil {
		p.item(id, batch, answer)
	}
	return answer
}

func questionOf(tenant, id string) *verdictv1.CheckAccessRequest {
	return &verdictv1.CheckAccessRequest{
		Tenant:   tenant,
		Subject:  &verdictv1.Subject{Type: "user", Id: "mina"},
		Action:   &verdictv1.Action{Name: "read"},
		Resource: &verdictv1.Resource{Type: "ticket", Id: id},
	}
}

// A crowd asks a coalescer, and keeps what each is told.
type crowd struct {
	*coalescer
	server *pretender
	asking sync.WaitGroup

	mu   sync.Mutex
	told map[string]told
}

type told struct {
	id  string
	err error
	at  time.Time
}

func newCrowd(server *pretender, bounds Coalescing) *crowd {
	return &crowd{coalescer: newCoalescer(server, bounds.withDefaults()), server: server, told: map[string]told{}}
}

func (c *crowd) ask(ctx context.Context, tenant, id string) {
	c.asking.Go(func() {
		message := questionOf(tenant, id)
		response, err := c.check(ctx, message, proto.Size(message))
		c.mu.Lock()
		defer c.mu.Unlock()
		c.told[id] = told{response.GetDecisionId(), err, time.Now()}
	})
	synctest.Wait()
}

// tell is what a check was told, and whether it was.
func (c *crowd) tell(id string) (told, bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	answer, is := c.told[id]
	return answer, is
}

// calls are the calls as text: the ids of each, in the order of their start.
func (c *crowd) calls() string {
	var all []string
	for _, a := range c.server.calls {
		text := strings.Join(a.ids, " ")
		if !a.unary {
			text = "[" + text + "]"
		}
		all = append(all, text)
	}
	return strings.Join(all, ", ")
}

// within runs a test's steps with a clock of their own.
func within(t *testing.T, server *pretender, bounds Coalescing, steps func(t *testing.T, c *crowd, ctx context.Context)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		c := newCrowd(server, bounds)
		steps(t, c, ctx)
		c.asking.Wait()
		c.close()
		if len(c.lanes) != 0 {
			t.Errorf("%d lanes are left", len(c.lanes))
		}
	})
}

func TestWhatGathers(t *testing.T) {
	tests := []struct {
		name   string
		bounds Coalescing
		steps  func(t *testing.T, c *crowd, ctx context.Context)
		want   string
	}{
		{
			"one after the other goes alone", Coalescing{},
			func(_ *testing.T, c *crowd, ctx context.Context) {
				for i := range 3 {
					c.ask(ctx, "a", fmt.Sprint(i))
					time.Sleep(2 * time.Millisecond)
				}
			},
			"0, 1, 2",
		},
		{
			"what comes while one is under way goes when it is answered", Coalescing{Wait: 10 * time.Millisecond},
			func(_ *testing.T, c *crowd, ctx context.Context) {
				for i := range 4 {
					c.ask(ctx, "a", fmt.Sprint(i))
				}
			},
			"0, [1 2 3]",
		},
		{
			"or when it has waited", Coalescing{Wait: 100 * time.Microsecond},
			func(_ *testing.T, c *crowd, ctx context.Context) {
				for i := range 3 {
					c.ask(ctx, "a", fmt.Sprint(i))
				}
				time.Sleep(200 * time.Microsecond)
				c.ask(ctx, "a", "3")
			},
			"0, [1 2], 3",
		},
		{
			"or when it is enough", Coalescing{Items: 2},
			func(_ *testing.T, c *crowd, ctx context.Context) {
				for i := range 6 {
					c.ask(ctx, "a", fmt.Sprint(i))
				}
			},
			"0, [1 2], [3 4], 5",
		},
		{
			"or when it is large enough", Coalescing{Bytes: 2 * proto.Size(questionOf("a", "0"))},
			func(_ *testing.T, c *crowd, ctx context.Context) {
				for i := range 6 {
					c.ask(ctx, "a", fmt.Sprint(i))
				}
			},
			"0, [1 2], [3 4], 5",
		},
		{
			"a large one goes alone and holds nobody up", Coalescing{Bytes: 100},
			func(_ *testing.T, c *crowd, ctx context.Context) {
				c.ask(ctx, "a", strings.Repeat("l", 100))
				c.ask(ctx, "a", "1")
			},
			strings.Repeat("l", 100) + ", 1",
		},
		{
			"what is given up leaves its room to others", Coalescing{Bytes: 2 * proto.Size(questionOf("a", "0"))},
			func(_ *testing.T, c *crowd, ctx context.Context) {
				c.ask(ctx, "a", "0")
				gone, leave := context.WithCancel(ctx)
				c.ask(gone, "a", "1")
				leave()
				synctest.Wait()
				c.ask(ctx, "a", "2")
				c.ask(ctx, "a", "3")
			},
			"0, [2 3]",
		},
		{
			"tenants do not meet", Coalescing{},
			func(_ *testing.T, c *crowd, ctx context.Context) {
				for i := range 6 {
					c.ask(ctx, string("ab"[i%2]), fmt.Sprint(i))
				}
			},
			"0, 1, [2 4], [3 5]",
		},
		{
			"what is given up before it goes is not asked", Coalescing{},
			func(_ *testing.T, c *crowd, ctx context.Context) {
				c.ask(ctx, "a", "0")
				gone, leave := context.WithCancel(ctx)
				c.ask(gone, "a", "1")
				c.ask(ctx, "a", "2")
				leave()
			},
			"0, 2",
		},
		{
			"and where all are, nothing goes", Coalescing{},
			func(_ *testing.T, c *crowd, ctx context.Context) {
				c.ask(ctx, "a", "0")
				gone, leave := context.WithCancel(ctx)
				c.ask(gone, "a", "1")
				leave()
				time.Sleep(2 * time.Millisecond)
			},
			"0",
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			within(t, &pretender{}, tt.bounds, func(t *testing.T, c *crowd, ctx context.Context) {
				tt.steps(t, c, ctx)
				c.asking.Wait()
				// Batches that go at the same moment may start in any order.
				got := c.calls()
				if sorted := strings.Split(got, ", "); got != tt.want {
					slices.SortStableFunc(sorted, func(a, b string) int {
						return cmp.Compare(strings.Trim(a, "[]"), strings.Trim(b, "[]"))
					})
					got = strings.Join(sorted, ", ")
				}
				if got != tt.want {
					t.Errorf("calls = %s, want %s", got, tt.want)
				}
			})
		})
	}
}

func TestRevisionsDoNotMeet(t *testing.T) {
	server := &pretender{}
	within(t, server, Coalescing{}, func(t *testing.T, c *crowd, ctx context.Context) {
		requirements := []*verdictv1.Consistency{
			nil,
			{Requirement: &verdictv1.Consistency_AtLeast{AtLeast: 7}},
			{Requirement: &verdictv1.Consistency_Exact{Exact: 7}},
			{Requirement: &verdictv1.Consistency_Exact{Exact: 8}},
		}
		for i := range 12 { // of each, one alone and two together
			message := questionOf("a", fmt.Sprint(i))
			message.Consistency = requirements[i%4]
			c.asking.Go(func() {
				if _, err := c.check(ctx, message, proto.Size(message)); err != nil {
					t.Error(err)
				}
			})
			synctest.Wait()
		}
		c.asking.Wait()
		for _, a := range server.calls {
			var first, second int
			if a.unary {
				continue
			}
			if n, _ := fmt.Sscan(strings.Join(a.ids, " "), &first, &second); n != 2 || first%4 != second%4 {
				t.Errorf("a batch has %q", a.ids)
			}
		}
		if len(server.calls) != 8 {
			t.Errorf("%d calls, want 8: %s", len(server.calls), c.calls())
		}
	})
}

func TestEachIsToldItsOwn(t *testing.T) {
	within(t, &pretender{}, Coalescing{Items: 7}, func(t *testing.T, c *crowd, ctx context.Context) {
		for i := range 40 {
			c.ask(ctx, "a", fmt.Sprint(i))
		}
		c.asking.Wait()
		for id, told := range c.told {
			if told.err != nil || told.id != id {
				t.Errorf("%s was told %q, %v", id, told.id, told.err)
			}
		}
	})
}

func TestOneWhoGivesUpLeavesTheOthers(t *testing.T) {
	server := &pretender{latency: func(int) time.Duration { return 10 * time.Millisecond }}
	within(t, server, Coalescing{}, func(t *testing.T, c *crowd, ctx context.Context) {
		c.ask(ctx, "a", "0")
		gone, leave := context.WithCancel(ctx)
		c.ask(gone, "a", "1")
		c.ask(ctx, "a", "2")
		time.Sleep(5 * time.Millisecond)
		leave()
		synctest.Wait()
		if told, is := c.tell("1"); !is || !errors.Is(told.err, context.Canceled) {
			t.Errorf("the one who gave up was told %v", told.err)
		}
		c.asking.Wait()
		if told := c.told["2"]; told.err != nil || told.id != "2" {
			t.Errorf("the other was told %q, %v", told.id, told.err)
		}
	})
}

func TestBatchThatNobodyAwaitsEnds(t *testing.T) {
	server := &pretender{latency: func(int) time.Duration { return time.Hour }}
	within(t, server, Coalescing{}, func(t *testing.T, c *crowd, ctx context.Context) {
		gone, leave := context.WithCancel(ctx)
		for i := range 3 {
			c.ask(gone, "a", fmt.Sprint(i))
		}
		time.Sleep(time.Millisecond)
		leave()
		synctest.Wait()
		for _, a := range server.calls {
			if status.Code(a.err) != codes.Canceled {
				t.Errorf("the call about %q ended with %v", a.ids, a.err)
			}
		}
	})
}

func TestEachHasItsOwnDeadline(t *testing.T) {
	server := &pretender{latency: func(int) time.Duration { return time.Hour }}
	within(t, server, Coalescing{}, func(t *testing.T, c *crowd, ctx context.Context) {
		start := time.Now()
		for i := range 4 {
			soon, cancel := context.WithTimeout(ctx, time.Duration(i+1)*10*time.Millisecond)
			defer cancel()
			c.ask(soon, "a", fmt.Sprint(i))
		}
		c.asking.Wait()
		for i := range 4 {
			told := c.told[fmt.Sprint(i)]
			if got, want := told.at.Sub(start), time.Duration(i+1)*10*time.Millisecond; got != want {
				t.Errorf("%d waited for %v, want %v", i, got, want)
			}
			if status.Code(told.err) != codes.DeadlineExceeded && !errors.Is(told.err, context.DeadlineExceeded) {
				t.Errorf("%d was told %v", i, told.err)
			}
		}
	})
}

func TestWhatABatchFailsFor(t *testing.T) {
	bad := func(code codes.Code) func(int, []string) error {
		return func(_ int, ids []string) error {
			if slices.Contains(ids, "2") {
				return status.Error(code, "no")
			}
			return nil
		}
	}
	tests := []struct {
		name  string
		fails func(int, []string) error
		calls string
		fail  string // the ids that fail
	}{
		{"what may be of one is asked one by one", bad(codes.InvalidArgument), "0, [1 2 3], 1, 2, 3", "2"},
		{"so is what is too large", bad(codes.ResourceExhausted), "0, [1 2 3], 1, 2, 3", "2"},
		{"and a fault", bad(codes.Internal), "0, [1 2 3], 1, 2, 3", "2"},
		{"a server that is gone is gone for all", bad(codes.Unavailable), "0, [1 2 3]", "1 2 3"},
		{"and so is the tenant", bad(codes.NotFound), "0, [1 2 3]", "1 2 3"},
		{"and the revision", bad(codes.FailedPrecondition), "0, [1 2 3]", "1 2 3"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			within(t, &pretender{fails: tt.fails}, Coalescing{}, func(t *testing.T, c *crowd, ctx context.Context) {
				for i := range 4 {
					c.ask(ctx, "a", fmt.Sprint(i))
				}
				c.asking.Wait()
				// Those that are asked again start at the same moment.
				slices.SortStableFunc(c.server.calls[min(2, len(c.server.calls)):], func(a, b *asked) int { return cmp.Compare(a.ids[0], b.ids[0]) })
				if got := c.calls(); got != tt.calls {
					t.Errorf("calls = %s, want %s", got, tt.calls)
				}
				var failed []string
				for i := range 4 {
					if c.told[fmt.Sprint(i)].err != nil {
						failed = append(failed, fmt.Sprint(i))
					}
				}
				if got := strings.Join(failed, " "); got != tt.fail {
					t.Errorf("failed: %s, want %s", got, tt.fail)
				}
			})
		})
	}
}

func TestBatchAnsweredInPartIsAFailure(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newCoalescer(&forgetful{}, Coalescing{}.withDefaults())
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		var asking sync.WaitGroup
		for i := range 3 {
			asking.Go(func() {
				response, err := c.check(ctx, questionOf("a", fmt.Sprint(i)), 10)
				if err == nil && response.GetDecisionId() != fmt.Sprint(i) {
					t.Errorf("%d was told %q", i, response.GetDecisionId())
				}
			})
			synctest.Wait()
		}
		asking.Wait()
		c.close()
	})
}

// A forgetful server leaves the last item of a batch out.
type forgetful struct{ pretender }

func (f *forgetful) BatchCheckAccess(ctx context.Context, in *verdictv1.BatchCheckAccessRequest, _ ...grpc.CallOption) (*verdictv1.BatchCheckAccessResponse, error) {
	response, err := f.pretender.BatchCheckAccess(ctx, in)
	if err == nil {
		response.Responses = response.Responses[:len(response.Responses)-1]
	}
	return response, err
}

// A panic of what the application put into the connection, such as an interceptor or
// the function that gives the token, comes up where a check is asked, as it does
// without gathering, and not in a goroutine that nobody can recover.
func TestPanicInABatchComesUpInTheChecks(t *testing.T) {
	for _, tt := range []struct {
		name  string
		torn  func(ids []string) bool
		fails int // how many checks panic
	}{
		{"each time", func([]string) bool { return true }, 4},
		{"in batches", func(ids []string) bool { return len(ids) > 1 }, 0},
	} {
		t.Run(tt.name, func(t *testing.T) {
			server := &pretender{fails: func(_ int, ids []string) error {
				if tt.torn(ids) {
					panic("torn wire")
				}
				return nil
			}}
			within(t, server, Coalescing{}, func(t *testing.T, c *crowd, ctx context.Context) {
				var panicked atomic.Int32
				for i := range 4 {
					c.asking.Go(func() {
						defer func() {
							if recover() != nil {
								panicked.Add(1)
							}
						}()
						message := questionOf("a", fmt.Sprint(i))
						if response, err := c.check(ctx, message, proto.Size(message)); err != nil || response.GetDecisionId() != fmt.Sprint(i) {
							t.Errorf("%d was told %v, %v", i, response, err)
						}
					})
					synctest.Wait()
				}
				c.asking.Wait()
				if got := int(panicked.Load()); got != tt.fails {
					t.Errorf("%d checks panicked, want %d", got, tt.fails)
				}
				synctest.Wait()
				if len(c.lanes) != 0 {
					t.Errorf("%d lanes are left", len(c.lanes))
				}
			})
		})
	}
}

func TestItemThatReachedALimitIsAskedAlone(t *testing.T) {
	server := &pretender{item: func(id string, batch int, answer *verdictv1.CheckAccessResponse) {
		if id == "2" && batch > 1 {
			answer.Allowed = false
			answer.Error = &verdictv1.DecisionError{Kind: verdictv1.ErrorKind_ERROR_KIND_LIMIT_EXCEEDED}
		}
	}}
	within(t, server, Coalescing{}, func(t *testing.T, c *crowd, ctx context.Context) {
		for i := range 4 {
			c.ask(ctx, "a", fmt.Sprint(i))
		}
		c.asking.Wait()
		if got, want := c.calls(), "0, [1 2 3], 2"; got != want {
			t.Errorf("calls = %s, want %s", got, want)
		}
	})
}

func TestAskingAgainHasABudget(t *testing.T) {
	server := &pretender{fails: func(n int, ids []string) error {
		if len(ids) > 1 {
			return status.Error(codes.ResourceExhausted, "too much")
		}
		return nil
	}}
	within(t, server, Coalescing{}, func(t *testing.T, c *crowd, ctx context.Context) {
		for i := range 3 * maxTokens {
			c.ask(ctx, "a", fmt.Sprint(i))
		}
		c.asking.Wait()
		alone := 0
		for _, a := range server.calls {
			if a.unary {
				alone++
			}
		}
		if most := maxTokens + 1; alone > most { // and the first
			t.Errorf("%d checks were asked alone, want at most %d", alone, most)
		}
	})
}

func TestCloseEndsWhatIsUnderWayAndWhatWaits(t *testing.T) {
	server := &pretender{latency: func(int) time.Duration { return time.Hour }}
	within(t, server, Coalescing{}, func(t *testing.T, c *crowd, ctx context.Context) {
		alone, cancel := context.WithCancel(ctx)
		c.ask(alone, "a", "0") // in the call of its own asker, which conn.Close ends
		c.ask(ctx, "a", "1")
		c.ask(ctx, "a", "2")
		time.Sleep(2 * defaultWait)
		c.ask(ctx, "a", "3")
		c.close()
		synctest.Wait()
		for _, id := range []string{"1", "2"} {
			if told, is := c.tell(id); !is || status.Code(told.err) != codes.Canceled {
				t.Errorf("%s, which was under way, was told %v", id, told.err)
			}
		}
		if told, is := c.tell("3"); !is || !errors.Is(told.err, errClosed) {
			t.Errorf("3, which waited, was told %v", told.err)
		}
		if _, err := c.check(ctx, questionOf("a", "4"), 1); !errors.Is(err, errClosed) {
			t.Errorf("after Close: %v", err)
		}
		cancel()
	})
}
