package table

import (
	"errors"
	"slices"
	"testing"
	"time"
)

// Every engine is asked the questions in the same order from the first on, all
// of them equally often, and another engine begins each round.
func TestTurnsAreFair(t *testing.T) {
	const questions, rounds = 5, 3
	asked := [2][]int{}
	var turns []int // who took a turn, after practice
	engine := func(k int) func(int) error {
		return func(question int) error {
			asked[k] = append(asked[k], question)
			if len(turns) == 0 || turns[len(turns)-1] != k {
				turns = append(turns, k)
			}
			return nil
		}
	}
	costs, err := compare(&meter{}, []func(int) error{engine(0), nil, engine(1)}, questions, rounds, 0)
	if err != nil {
		t.Fatal(err)
	}
	if len(costs[0]) != rounds || costs[1] != nil || len(costs[2]) != rounds {
		t.Errorf("the engines took %d, %d and %d turns, want %d, none and %d", len(costs[0]), len(costs[1]), len(costs[2]), rounds, rounds)
	}
	for k := range asked {
		measured := asked[k][len(asked[k])-questions*rounds:]
		for i, question := range measured {
			if question != i%questions {
				t.Fatalf("engine %d was asked %v, want the questions in turn", k, measured)
			}
		}
	}
	// Practice of both, then 0 1, 1 0, 0 1. Adjacent turns of one show as one.
	if want := []int{0, 1, 0, 1, 0, 1}; !slices.Equal(turns, want) {
		t.Errorf("turns were taken by %v, want %v", turns, want)
	}
}

func TestAFailureEndsTheComparison(t *testing.T) {
	broken := errors.New("broken")
	calls := 0
	_, err := compare(&meter{}, []func(int) error{func(int) error {
		if calls++; calls == 7 {
			return broken
		}
		return nil
	}}, 3, 5, 0)
	if !errors.Is(err, broken) || calls != 7 {
		t.Errorf("after %d calls the error is %v", calls, err)
	}
}

// What a decision allocates is charged for, in time as well.
func TestGarbageIsCharged(t *testing.T) {
	m := newMeter()
	defer m.close()
	var kept []byte
	c, err := m.turn(1_000, cost{}, func() error {
		kept = make([]byte, 10_000)
		return nil
	})
	if err != nil || len(kept) == 0 {
		t.Fatal(err)
	}
	if c.allocs < 1 || c.allocs > 2 || c.bytes < 10_000 || c.bytes > 12_000 {
		t.Errorf("one allocation of 10,000 bytes is measured as %.1f of %.0f bytes", c.allocs, c.bytes)
	}
	if m.perByte <= 0 || c.time < c.bytes*m.perByte {
		t.Errorf("a decision takes %.0f ns, of which its garbage alone %.0f", c.time, c.bytes*m.perByte)
	}
}

func TestMedian(t *testing.T) {
	tests := []struct {
		values []float64
		want   float64
	}{
		{[]float64{3}, 3},
		{[]float64{9, 1, 2}, 2},
		{[]float64{9, 1, 2, 3}, 2.5},
	}
	for _, tt := range tests {
		if got := median(tt.values); got != tt.want {
			t.Errorf("the median of %v is %v, want %v", tt.values, got, tt.want)
		}
	}
}

func TestProcessorTimeAdvances(t *testing.T) {
	start, sum := cpuTime(), 0
	for deadline := time.Now().Add(10 * time.Second); cpuTime() == start; sum++ {
		if time.Now().After(deadline) {
			t.Fatalf("no processor time was taken by counting to %d", sum)
		}
	}
}
