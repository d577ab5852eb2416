package authzen

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"testing"
	"time"

	"go.uber.org/zap"

	"github.com/verdictpdp/verdict/api/authz"
	"github.com/verdictpdp/verdict/engine/pdp"
)

func TestPatienceEnds(t *testing.T) {
	p := newPatience(t.Context(), 10*time.Millisecond)
	defer p.release()
	if err := p.Err(); err != nil {
		t.Errorf("at the beginning: %v", err)
	}
	below, cancel := context.WithCancel(p)
	defer cancel()
	select {
	case <-below.Done():
	case <-time.After(time.Minute):
		t.Fatal("what is below it has not ended within a minute")
	}
	if err := p.Err(); !errors.Is(err, context.DeadlineExceeded) || !errors.Is(below.Err(), context.DeadlineExceeded) {
		t.Errorf("at the end: %v, below it %v", err, below.Err())
	}
}

func TestPatienceEndsWithTheCaller(t *testing.T) {
	caller, leave := context.WithCancel(t.Context())
	p := newPatience(caller, time.Hour)
	defer p.release()
	done := p.Done()
	leave()
	select {
	case <-done:
	case <-time.After(time.Minute):
		t.Fatal("it has not ended within a minute")
	}
	if err := p.Err(); !errors.Is(err, context.Canceled) {
		t.Errorf("the error is %v", err)
	}
}

// TestPatienceThatIsReleased holds that it has ended for what still waits for it, whose
// contexts would panic at an end without an error.
func TestPatienceThatIsReleased(t *testing.T) {
	p := newPatience(t.Context(), time.Hour)
	done := p.Done()
	p.release()
	<-done
	if err := p.Err(); !errors.Is(err, context.Canceled) {
		t.Errorf("the error is %v", err)
	}
}

func TestPatienceOfAnImpatientCaller(t *testing.T) {
	soon := time.Now().Add(time.Minute)
	caller, cancel := context.WithDeadline(t.Context(), soon)
	defer cancel()
	if end, bounded := newPatience(caller, time.Hour).Deadline(); !bounded || !end.Equal(soon) {
		t.Errorf("the deadline is %v, %v, want the caller's", end, bounded)
	}
	if end, bounded := newPatience(caller, time.Second).Deadline(); !bounded || !end.Before(soon) {
		t.Errorf("the deadline is %v, %v, want the request's", end, bounded)
	}
}

// TestDeciderThatOnlyLooks holds that the time of a request ends for those who ask
// now and then, without waiting.
func TestDeciderThatOnlyLooks(t *testing.T) {
	handler := newOpen(Options{Decider: lookingDecider{}, Logger: zap.NewNop(), MaxTime: time.Millisecond})
	response := post(t, handler, evaluationPath, readRecord)
	if failed := failureIn(t, response); response.Code != http.StatusGatewayTimeout || !strings.Contains(failed.Message, "longer than 1ms") {
		t.Errorf("%d %+v, want 504 naming the time", response.Code, failed)
	}
}

// A lookingDecider looks at its context until it has ended.
type lookingDecider struct{ Decider }

func (lookingDecider) Decide(ctx context.Context, _ *authz.Request, _ pdp.DecideOptions) (authz.Decision, error) {
	for ctx.Err() == nil {
		time.Sleep(100 * time.Microsecond)
	}
	return authz.Decision{}, authz.Errorf(authz.KindOf(ctx.Err()), "no decision was made: %w", ctx.Err())
}
