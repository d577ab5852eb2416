package client

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"
	"pgregory.net/rapid"

	verdictv1 "github.com/verdictpdp/verdict/api/verdict/v1"
)

// A history is checks at times, and what the server makes of the calls.
type history struct {
	bounds    Coalescing
	checks    []moment
	latencies []time.Duration
	failures  []codes.Code
}

// A moment is one check of a history.
type moment struct {
	tenant string
	// at is when it is made, timeout when its deadline is after that, and leaves
	// when it is given up after that.
	at, timeout, leaves time.Duration
	// limited is whether it reaches a limit in a batch.
	limited bool
}

func historyOf(t *rapid.T) history {
	micros := func(from, to int, label string) time.Duration {
		return time.Duration(rapid.IntRange(from, to).Draw(t, label)) * time.Microsecond
	}
	h := history{bounds: Coalescing{
		Items: rapid.IntRange(1, 5).Draw(t, "items"),
		Bytes: rapid.IntRange(30, 300).Draw(t, "bytes"),
		Wait:  micros(1, 300, "wait"),
	}}
	for range rapid.IntRange(1, 30).Draw(t, "checks") {
		h.checks = append(h.checks, moment{
			tenant:  rapid.SampledFrom([]string{"a", "b"}).Draw(t, "tenant"),
			at:      micros(0, 1000, "at"),
			timeout: micros(1, 2000, "timeout"),
			leaves:  micros(1, 2000, "leaves"),
			limited: rapid.IntRange(0, 9).Draw(t, "limited") == 0,
		})
	}
	for range rapid.IntRange(1, 30).Draw(t, "calls") {
		h.latencies = append(h.latencies, micros(1, 3000, "latency"))
		h.failures = append(h.failures, rapid.SampledFrom([]codes.Code{
			codes.OK, codes.OK, codes.OK, codes.OK, codes.OK, codes.Unavailable, codes.InvalidArgument,
		}).Draw(t, "failure"))
	}
	return h
}

// Whatever the history, each check is told its own decision, or why there is none,
// and in its time; and no call breaks the bounds.
func TestHistories(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		h := historyOf(rt)
		var wrong []string
		synctest.Test(t, func(t *testing.T) { wrong = h.run(t.Context()) })
		for _, text := range wrong {
			rt.Error(text)
		}
	})
}

// run lives the history and returns what is wrong with it.
func (h history) run(ctx context.Context) (wrong []string) {
	complain := func(format string, args ...any) { wrong = append(wrong, fmt.Sprintf(format, args...)) }
	limited := map[string]bool{}
	for i, m := range h.checks {
		limited[fmt.Sprint(i)] = m.limited
	}
	server := &pretender{
		latency: func(n int) time.Duration { return h.latencies[n%len(h.latencies)] },
		fails: func(n int, _ []string) error {
			return status.Error(h.failures[n%len(h.failures)], "as the history has it")
		},
		item: func(id string, batch int, answer *verdictv1.CheckAccessResponse) {
			if limited[id] && batch > 1 {
				answer.Error = &verdictv1.DecisionError{Kind: verdictv1.ErrorKind_ERROR_KIND_LIMIT_EXCEEDED}
			}
		},
	}
	c := newCrowd(server, h.bounds)
	start := time.Now()
	for i, m := range h.checks {
		id := fmt.Sprint(i)
		c.asking.Go(func() {
			time.Sleep(m.at)
			ctx, cancel := context.WithTimeout(ctx, m.timeout)
			defer cancel()
			leaving := time.AfterFunc(m.leaves, cancel)
			defer leaving.Stop()
			message := questionOf(m.tenant, id)
			response, err := c.check(ctx, message, proto.Size(message))
			if err == nil && (response.GetDecisionId() != id || response.GetError() != nil) {
				err = fmt.Errorf("told %v", response)
			}
			c.mu.Lock()
			defer c.mu.Unlock()
			c.told[id] = told{id, err, time.Now()}
		})
	}
	c.asking.Wait()
	c.close()

	if len(c.lanes) != 0 {
		complain("%d lanes are left", len(c.lanes))
	}
	for i, m := range h.checks {
		h.judge(c, start, fmt.Sprint(i), m, complain)
	}
	for n, a := range server.calls {
		h.judgeCall(c, start, n, a, complain)
	}
	return wrong
}

// end is when a check must be over, by its deadline or because it is given up.
func (m moment) end(start time.Time) time.Time { return start.Add(m.at + min(m.timeout, m.leaves)) }

func (h history) judge(c *crowd, start time.Time, id string, m moment, complain func(string, ...any)) {
	told, end := c.told[id], m.end(start)
	arrival := start.Add(m.at)
	var calls []*asked
	for _, a := range c.server.calls {
		if slices.Contains(a.ids, id) {
			calls = append(calls, a)
		}
	}
	if told.at.After(end) {
		complain("%s was told at %v, after its end %v", id, told.at.Sub(start), end.Sub(start))
	}
	ended := !told.at.Before(end)
	switch {
	case told.err == nil && len(calls) == 0:
		complain("%s was told without being asked", id)
	case told.err != nil && !ended && (len(calls) == 0 || status.Code(told.err) != status.Code(calls[len(calls)-1].err)):
		complain("%s failed with %v, which no call of its did", id, told.err)
	case !ended && (status.Code(told.err) == codes.DeadlineExceeded || status.Code(told.err) == codes.Canceled):
		complain("%s was ended with another, by %v", id, told.err)
	case ended && told.err != nil && !errors.Is(told.err, context.Canceled) && !errors.Is(told.err, context.DeadlineExceeded) && len(calls) == 0:
		complain("%s ended with %v", id, told.err)
	}
	if len(calls) == 0 {
		if waited := told.at.Sub(arrival); waited > h.bounds.Wait {
			complain("%s waited for %v and was not asked", id, waited)
		}
		return
	}
	if waited := calls[0].start.Sub(arrival); waited > h.bounds.Wait {
		complain("%s waited for %v", id, waited)
	}
	switch first := calls[0]; {
	case len(calls) > 2:
		complain("%s was asked %d times", id, len(calls))
	case len(calls) == 2 && !calls[1].unary:
		complain("%s was asked again in a batch", id)
	case len(calls) == 2 && !(mayBeOfOne(first.err) || first.err == nil && m.limited) || len(calls) == 2 && first.unary:
		complain("%s was asked again after %v", id, first.err)
	}
	if h.idleAt(c, m, arrival) && (!calls[0].unary || !calls[0].start.Equal(arrival)) {
		complain("%s found the server idle, and was asked after %v", id, calls[0].start.Sub(arrival))
	}
}

// idleAt is whether nothing of a tenant was under way just before a time and
// nothing else came at it.
func (h history) idleAt(c *crowd, m moment, at time.Time) bool {
	for _, a := range c.server.calls {
		if a.tenant == m.tenant && a.start.Before(at) && !a.end.Before(at) {
			return false
		}
	}
	came := 0
	for _, other := range h.checks {
		if other.tenant == m.tenant && other.at == m.at {
			came++
		}
	}
	return came == 1
}

func (h history) judgeCall(c *crowd, start time.Time, n int, a *asked, complain func(string, ...any)) {
	size, latest := 0, time.Time{}
	for _, id := range a.ids {
		var i int
		fmt.Sscan(id, &i)
		m := h.checks[i]
		size += proto.Size(questionOf(m.tenant, id))
		if m.tenant != a.tenant {
			complain("call %d of tenant %s has %s of tenant %s", n, a.tenant, id, m.tenant)
		}
		if a.start.After(m.end(start)) {
			complain("call %d has %s, which was over", n, id)
		}
		if end := c.told[id].at; end.After(latest) {
			latest = end
		}
	}
	switch {
	case a.unary && len(a.ids) != 1 || !a.unary && len(a.ids) < 2:
		complain("call %d is of %d", n, len(a.ids))
	case len(a.ids) > h.bounds.Items:
		complain("call %d is of %d, at most %d are allowed", n, len(a.ids), h.bounds.Items)
	case !a.unary && size > h.bounds.Bytes:
		complain("call %d has %d bytes, at most %d are allowed", n, size, h.bounds.Bytes)
	case a.end.After(latest):
		complain("call %d went on for %v with nobody waiting", n, a.end.Sub(latest))
	}
}
