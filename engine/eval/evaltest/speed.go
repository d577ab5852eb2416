package evaltest

import (
	"context"
	"fmt"
	"math"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/open-policy-agent/opa/v1/topdown"
	"github.com/open-policy-agent/opa/v1/topdown/cache"
)

// A Preparer makes a query ready to be answered many times.
type Preparer func(ctx context.Context, q Query) (answer func(context.Context) error, err error)

// BenchmarkOPACases times an evaluator beside topdown on OPA's cases that end
// without an error, each ready to run, with parsed input and base documents. It
// prints the cases of more than 10 µs under topdown on which the evaluator is slower,
// and reports how many there are of both, and the worst and the mean ratio.
func BenchmarkOPACases(b *testing.B, prepare Preparer) {
	const work = 10 * time.Microsecond
	for b.Loop() {
		compared, slower, worst, logs := 0, 0, math.Inf(1), 0.0
		for _, c := range opaCases(b) {
			if !c.repeatable() {
				continue
			}
			q, err := c.query()
			if err != nil {
				b.Fatalf("%s: %v", c.name, err)
			}
			own, topdowns, err := beside(b.Context(), q, prepare, prepareReference)
			if err != nil || topdowns <= work {
				continue // an error is wanted, or excepted: see RunOPACases
			}
			ratio := float64(topdowns) / float64(own)
			compared++
			logs += math.Log(ratio)
			worst = min(worst, ratio)
			if ratio < 1 {
				slower++
				fmt.Printf("%-80s %10v, topdown %10v\n", c.name, own, topdowns) // Logf shows ten lines
			}
		}
		b.ReportMetric(float64(compared), "cases")
		b.ReportMetric(float64(slower), "slower")
		b.ReportMetric(worst, "worst-x")
		b.ReportMetric(math.Exp(logs/float64(compared)), "mean-x")
	}
}

// repeatable reports whether a case comes to the same as often as it is asked, and
// waits for nobody.
func (c opaCase) repeatable() bool {
	if c.WantErrorCode != nil || c.WantError != nil || len(c.Env) > 0 {
		return false
	}
	return !slices.ContainsFunc(append(c.Modules, c.Query), func(text string) bool {
		return strings.Contains(text, "http.send") || strings.Contains(text, "test.sleep") || strings.Contains(text, "net.lookup_ip_addr")
	})
}

// beside is how long the answers of two take, by turns: the best turn of each.
func beside(ctx context.Context, q Query, a, b Preparer) (ofA, ofB time.Duration, err error) {
	sides := [2]*side{{prepare: a}, {prepare: b}}
	for _, s := range sides {
		if err := s.begin(ctx, q); err != nil {
			return 0, 0, err
		}
	}
	const turns = 10
	for range turns {
		for _, s := range sides {
			if err := s.turn(ctx); err != nil {
				return 0, 0, err
			}
		}
	}
	return sides[0].best, sides[1].best, nil
}

type side struct {
	prepare Preparer
	answer  func(context.Context) error
	times   int // in a turn
	best    time.Duration
}

func (s *side) begin(ctx context.Context, q Query) (err error) {
	const turn, most = 500 * time.Microsecond, 1_000
	if s.answer, err = s.prepare(ctx, q); err != nil {
		return err
	}
	start := time.Now()
	err = s.answer(ctx)
	s.best = time.Since(start)
	s.times = int(min(most, turn/max(1, s.best)+1))
	return err
}

func (s *side) turn(ctx context.Context) error {
	start := time.Now()
	for range s.times {
		if err := s.answer(ctx); err != nil {
			return err
		}
	}
	s.best = min(s.best, time.Since(start)/time.Duration(s.times))
	return nil
}

func prepareReference(ctx context.Context, q Query) (func(context.Context) error, error) {
	query, store, err := q.forTopdown(ctx)
	if err != nil {
		return nil, err
	}
	values := cache.NewInterQueryValueCache(ctx, &cache.Config{})
	return func(ctx context.Context) error {
		txn, err := store.NewTransaction(ctx)
		if err != nil {
			return err
		}
		defer store.Abort(ctx, txn)
		return query().
			WithTransaction(txn).
			WithInterQueryBuiltinValueCache(values).
			Iter(ctx, func(topdown.QueryResult) error { return nil })
	}, nil
}
