package client

import (
	"context"
	"sync/atomic"
	"testing"
	"time"

	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/durationpb"

	"github.com/verdictpdp/verdict/api/authz"
	verdictv1 "github.com/verdictpdp/verdict/api/verdict/v1"
)

// tooMuch is how a server refuses for overload.
func tooMuch(again time.Duration) error {
	st, err := status.New(codes.ResourceExhausted, "there is more to decide").WithDetails(&errdetails.RetryInfo{RetryDelay: durationpb.New(again)})
	if err != nil {
		panic(err) // never of these
	}
	return st.Err()
}

func TestOverloadedServerIsAskedAgainWhenItSays(t *testing.T) {
	const hint = 50 * time.Millisecond
	tests := []struct {
		name     string
		options  []Option
		hint     time.Duration
		refusals int32
		asked    int32
		want     authz.Kind // Internal for an answer
	}{
		{"until it answers", nil, hint, 2, 3, authz.Internal},
		{"not without end", nil, hint, 9, 3, authz.Overloaded},
		{"not at all, where it is not to be", []Option{WithAttempts(1)}, hint, 9, 1, authz.Overloaded},
		{"not after the deadline", nil, time.Hour, 9, 1, authz.Overloaded},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			var asked atomic.Int32
			address := startStandIn(t, func(ctx context.Context, r *verdictv1.CheckAccessRequest) (*verdictv1.CheckAccessResponse, error) {
				if asked.Add(1) <= tt.refusals {
					return nil, tooMuch(tt.hint)
				}
				return allowAll(ctx, r)
			})
			start := time.Now()
			decision, err := dialTo(t, address, tt.options...).Check(within5s(t), requestAbout("1"))
			if answered := tt.want == authz.Internal; (err == nil) != answered || decision.Allowed != answered {
				t.Fatalf("decision = %+v, %v", decision, err)
			}
			if err != nil && (authz.KindOf(err) != tt.want || authz.RetryAfterOf(err) != tt.hint) {
				t.Errorf("error = %v of kind %v, again after %v", err, authz.KindOf(err), authz.RetryAfterOf(err))
			}
			if asked.Load() != tt.asked {
				t.Errorf("it was asked %d times, want %d", asked.Load(), tt.asked)
			}
			if took, least := time.Since(start), time.Duration(tt.asked-1)*hint; took < least {
				t.Errorf("it was asked again too soon: all took %v, want at least %v", took, least)
			}
		})
	}
}

// TestOverloadedServerIsSpared asks a server that refuses everything, for a while.
func TestOverloadedServerIsSpared(t *testing.T) {
	var asked atomic.Int32
	address := startStandIn(t, func(context.Context, *verdictv1.CheckAccessRequest) (*verdictv1.CheckAccessResponse, error) {
		asked.Add(1)
		return nil, tooMuch(time.Millisecond)
	})
	c := dialTo(t, address, WithoutCoalescing(), WithAttempts(1))
	const checks = 500
	for range checks {
		if decision, err := c.Check(within5s(t), requestAbout("1")); authz.KindOf(err) != authz.Overloaded || decision.Allowed {
			t.Fatalf("decision = %+v, %v", decision, err)
		}
	}
	if n := asked.Load(); n >= checks/2 || n < fewAsked {
		t.Errorf("%d checks asked it %d times", checks, n)
	}
}

// TestRefusedBatchIsNotAskedOneByOne holds that gathering does not multiply what an
// overloaded server is asked.
func TestRefusedBatchIsNotAskedOneByOne(t *testing.T) {
	if mayBeOfOne(tooMuch(time.Second)) {
		t.Error("each check of a batch that was refused for overload is asked alone")
	}
	if !mayBeOfOne(status.Error(codes.ResourceExhausted, "larger than")) {
		t.Error("the checks of a batch that is too large are not asked alone")
	}
}

func TestThrottle(t *testing.T) {
	now := time.Unix(1_000, 0)
	const calls = 10_000
	// sent is how many of calls are, when so large a part of those is refused.
	sent := func(t *throttle, refused float64) (sent int) {
		due := 0.0
		for range calls {
			if !t.lets(now) {
				continue
			}
			due += refused
			t.ended(now, due >= 1)
			if due >= 1 {
				due--
			}
			sent++
		}
		return sent
	}
	tests := []struct {
		name        string
		refused     float64
		least, most int
	}{
		{"none is refused", 0, calls, calls},
		{"some are", 0.05, calls, calls},
		{"all are", 1, fewAsked, calls / 10},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			var throttle throttle
			if got := sent(&throttle, tt.refused); got < tt.least || got > tt.most {
				t.Errorf("%d of %d calls were sent, want %d to %d", got, calls, tt.least, tt.most)
			}
		})
	}
	t.Run("many at once, before any is answered", func(t *testing.T) {
		var throttle throttle
		for range calls {
			if !throttle.lets(now) {
				t.Fatal("a call was not sent though none was refused")
			}
		}
	})
	t.Run("half of what is asked can be answered", func(t *testing.T) {
		var throttle throttle
		asked, answered := 0, 0
		for second := range 20 {
			now := now.Add(time.Duration(second) * time.Second)
			room := calls / 2
			for range calls {
				if !throttle.lets(now) {
					continue
				}
				refused := room == 0
				if !refused {
					room--
				}
				throttle.ended(now, refused)
				if second >= 10 {
					asked++
					if !refused {
						answered++
					}
				}
			}
		}
		if most := float64(answered) * 1.25; float64(asked) > most {
			t.Errorf("%d were sent for %d that were answered", asked, answered)
		}
		if want := 10 * calls / 2 * 95 / 100; answered < want {
			t.Errorf("%d were answered, of %d that could be", answered, 10*calls/2)
		}
	})
	t.Run("the server can do all again", func(t *testing.T) {
		var throttle throttle
		start, calls := now, calls/100 // in a hundredth of a second
		for at := time.Duration(0); at < 10*time.Second; at += time.Second / 100 {
			now := start.Add(at)
			sent := 0
			for range calls {
				if throttle.lets(now) {
					throttle.ended(now, at < 5*time.Second && sent >= calls/50)
					sent++
				}
			}
			if at > 8*time.Second && sent < calls {
				t.Fatalf("%d of %d are sent %v after it could do all", sent, calls, at-5*time.Second)
			}
		}
	})
	t.Run("what was long ago is forgotten", func(t *testing.T) {
		var throttle throttle
		sent(&throttle, 1)
		if !throttle.lets(now.Add(time.Minute)) {
			t.Error("a call was not sent after a minute")
		}
	})
}
