package admission

import (
	"context"
	"runtime"
	"slices"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/verdictpdp/verdict/api/authz"
)

// running is a door that adapts until the test ends.
func running(t *testing.T, tenants map[string]int) *Door {
	t.Helper()
	door := NewDoor(DoorOptions{Tenants: tenants})
	run(t, door)
	return door
}

// run has a door adapt until the test ends.
func run(t *testing.T, door *Door) {
	t.Helper()
	ctx, stop := context.WithCancel(t.Context())
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		door.Run(ctx)
	}()
	t.Cleanup(func() {
		stop()
		<-ended
	})
}

func TestDoorLetsBurstsIn(t *testing.T) {
	door := NewDoor(DoorOptions{Tenants: map[string]int{"blue": 1}})
	for range leastMany {
		if _, err := door.Arrive(door.Of("blue"), false); err != nil {
			t.Fatal(err)
		}
	}
}

// Calls that come at once, again and again, and are answered long before the next do, are
// no crowd, however many of all calls they are.
func TestDoorLetsBurstsInAgainAndAgain(t *testing.T) {
	const answers = 50
	tests := []struct {
		name   string
		bursts flood
		after  *flood
	}{
		{name: "now and then", bursts: flood{each: 400, every: 500}},
		{name: "often", bursts: flood{each: 400, every: 40}},
		{name: "for a good part of the time", bursts: flood{each: 1_500, every: 90}},
		{name: "after a flood", bursts: flood{each: 2_000, every: 500}, after: &flood{tenant: "blue", each: 2 * answers}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				start := time.Now()
				var ended atomic.Int64 // when the flood had, which took all processors
				door := NewDoor(DoorOptions{Tenants: map[string]int{"blue": 1}, Used: func() time.Duration {
					over := time.Since(start)
					if flood := time.Duration(ended.Load()); flood != 0 {
						return flood + (over-flood)/10
					}
					return over
				}})
				run(t, door)
				if tt.after != nil {
					serve(door, 3*time.Second, answers, tt.after)
				}
				ended.Store(int64(time.Since(start)))
				time.Sleep(time.Second / 2)
				bursts, steady := tt.bursts, &flood{tenant: "blue", each: 1}
				bursts.tenant = "blue"
				serve(door, 5*time.Second, answers, &bursts, steady)
				if n := bursts.turned + steady.turned; n > 0 {
					t.Errorf("%d were refused", n)
				}
			})
		})
	}
}

// TestDoorLetsABurstInOnASteadyLoad has one call less under way than makes a crowd, and
// then, for some milliseconds, more.
func TestDoorLetsABurstInOnASteadyLoad(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		start := time.Now()
		door := NewDoor(DoorOptions{Tenants: map[string]int{"blue": 1}, Used: func() time.Duration { return time.Since(start) }})
		run(t, door)
		const each, takes, burst = 60, 7 * time.Millisecond, 250
		refused, tight := 0, false
		for at := range 5_000 {
			calls := each
			if at > 2_000 && at%1_000 == 0 {
				calls += burst
			}
			for range calls {
				call, err := door.Arrive(door.Of("blue"), false)
				if err != nil {
					refused++
					continue
				}
				// The rate comes to what they are in a second.
				time.AfterFunc(min(takes, time.Duration(at)*time.Millisecond/100), call.Leave)
			}
			time.Sleep(time.Millisecond)
			tight = tight || door.tight.Load()
		}
		if refused > 0 || tight {
			t.Errorf("%d were refused, and the door was tight = %t", refused, tight)
		}
		time.Sleep(takes)
	})
}

// TestDoorForgetsACrowd has calls that stay for so long that they count no more.
func TestDoorForgetsACrowd(t *testing.T) {
	for name, after := range map[string]int{"nothing": 0, "a little": 1} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				start := time.Now()
				door := NewDoor(DoorOptions{Tenants: map[string]int{"blue": 1}, Used: func() time.Duration { return time.Since(start) }})
				run(t, door)
				come := func(n int) {
					for range n {
						if call, err := door.Arrive(door.Of("blue"), false); err == nil {
							time.AfterFunc(2*ticks*tick, call.Leave)
						}
					}
				}
				come(leastFew * runtime.GOMAXPROCS(0))
				for range 100 {
					time.Sleep(tick)
					come(after)
				}
				if door.tight.Load() {
					t.Errorf("it is tight, with %d under way", door.underWay.Load())
				}
				time.Sleep(2 * ticks * tick)
			})
		})
	}
}

// TestDoorIsTightWhileLinesStand has no more come than are answered, most of them from
// lines that stand.
func TestDoorIsTightWhileLinesStand(t *testing.T) {
	for name, tt := range map[string]struct {
		standing int // of ten
		want     bool
	}{"most of them": {6, true}, "a part": {4, false}} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				door := running(t, map[string]int{"blue": 1})
				for at := range 2_000 {
					if call, err := door.Arrive(door.Of("blue"), at%10 < tt.standing); err == nil {
						call.Leave()
					}
					time.Sleep(time.Millisecond)
				}
				if got := door.tight.Load(); got != tt.want {
					t.Errorf("it is tight = %t", got)
				}
			})
		})
	}
}

func TestWithoutADoorAllAreLetIn(t *testing.T) {
	var door *Door
	call, err := door.Arrive(door.Of("blue"), true)
	if err != nil {
		t.Error(err)
	}
	call.Leave()
}

// A flood is calls of a tenant that come at a rate and are answered, together with
// those of others, at the server's: so many each millisecond, or every few.
type flood struct {
	tenant     string
	each       int
	every      int // millisecond
	in, turned int
}

// serve has floods come for a time to a server that answers so many a millisecond, in
// the order in which they came.
func serve(door *Door, over time.Duration, answers int, floods ...*flood) (longest int) {
	var inside []Call
	for at := range int(over / time.Millisecond) {
		for _, f := range floods {
			if at%max(1, f.every) > 0 {
				continue
			}
			for range f.each {
				call, err := door.Arrive(door.Of(f.tenant), false)
				if err != nil {
					f.turned++
					continue
				}
				f.in++
				inside = append(inside, call)
			}
		}
		longest = max(longest, len(inside))
		for range min(answers, len(inside)) {
			inside[0].Leave()
			inside = inside[1:]
		}
		time.Sleep(time.Millisecond)
	}
	for _, call := range inside {
		call.Leave()
	}
	return longest
}

func TestDoorRefusesWhatIsTooMuchForLong(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		door := running(t, map[string]int{"blue": 1})
		const answers = 100
		fits := &flood{tenant: "blue", each: answers}
		serve(door, 3*time.Second, answers, fits)
		if fits.turned > 0 {
			t.Errorf("%d were refused of what can be answered", fits.turned)
		}
		first := &flood{tenant: "blue", each: 2 * answers}
		serve(door, 500*time.Millisecond, answers, first)
		flooding := &flood{tenant: "blue", each: 2 * answers}
		longest := serve(door, 3*time.Second, answers, flooding)
		if want := 3000 * answers * 9 / 10; flooding.in < want {
			t.Errorf("%d were let in, want at least %d", flooding.in, want)
		}
		if flooding.turned == 0 {
			t.Error("none was refused")
		}
		if most := answers*int(DefaultDelay/time.Millisecond) + 2*answers; longest > 2*most {
			t.Errorf("%d were under way at a time, want about %d", longest, most)
		}
		// When it is over, all are let in again.
		time.Sleep(2 * time.Second)
		after := &flood{tenant: "blue", each: answers}
		serve(door, 3*time.Second, answers, after)
		if after.turned > 0 {
			t.Errorf("%d were refused after the flood", after.turned)
		}
	})
}

func TestTenantInItsShareIsLetInBesideAFlood(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		door := running(t, map[string]int{"workforce": 1, "customer": 1})
		const answers = 100
		begin := []*flood{{tenant: "customer", each: 3 * answers}, {tenant: "workforce", each: answers / 10}}
		serve(door, 500*time.Millisecond, answers, begin...) // in which it might be a burst
		floods := []*flood{{tenant: "customer", each: 3 * answers}, {tenant: "workforce", each: answers / 10}}
		serve(door, 3*time.Second, answers, floods...)
		customer, workforce := floods[0], floods[1]
		if workforce.turned > 0 {
			t.Errorf("%d of %d calls of the one that does not flood were refused", workforce.turned, workforce.in+workforce.turned)
		}
		if customer.turned == 0 {
			t.Error("none of the flood was refused")
		}
		if want := 3000 * answers * 8 / 10; customer.in < want {
			t.Errorf("%d of the flood were let in, want what is left, at least %d", customer.in, want)
		}
	})
}

func TestCallThatStaysIsForgotten(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		door := running(t, map[string]int{"blue": 1})
		var calls []Call
		for range 10 {
			call, err := door.Arrive(door.Of("blue"), false)
			if err != nil {
				t.Fatal(err)
			}
			calls = append(calls, call)
			time.Sleep(tick / 2)
		}
		time.Sleep(tick*ticks/2 + tick/2)
		if n := door.underWay.Load(); n == 0 || n == 10 {
			t.Errorf("%d of 10 calls count when the first are a second old", n)
		}
		time.Sleep(tick * (ticks + 1))
		for _, call := range calls {
			call.Leave()
		}
		if n := door.underWay.Load(); n != 0 {
			t.Errorf("%d calls count in the end", n)
		}
	})
}

func TestRefusalsTellWhenToComeBack(t *testing.T) {
	door := NewDoor(DoorOptions{})
	var err error
	for range 100_000 {
		if _, err = door.Arrive(nil, false); err != nil {
			break
		}
	}
	if authz.KindOf(err) != authz.Overloaded || authz.RetryAfterOf(err) <= 0 {
		t.Fatalf("%v, again after %v: want Overloaded, and when", err, authz.RetryAfterOf(err))
	}
}

// TestDoorRefusesWhereLessAndLessIsAnswered has what comes too late to be of use take
// most of the server's time.
func TestDoorRefusesWhereLessAndLessIsAnswered(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		start := time.Now()
		door := NewDoor(DoorOptions{Tenants: map[string]int{"blue": 1}, Used: func() time.Duration { return time.Since(start) }})
		run(t, door)
		const answers = 100
		serve(door, 3*time.Second, answers, &flood{tenant: "blue", each: 2 * answers})
		flooding := &flood{tenant: "blue", each: 2 * answers}
		longest := serve(door, 3*time.Second, answers/20, flooding)
		if most := 2 * answers * int(DefaultDelay/time.Millisecond); longest > most {
			t.Errorf("%d were under way at a time, want at most %d", longest, most)
		}
	})
}

// TestDoorRefusesAfterAStartThatTookLong has a process use much before it has a door, and
// before it serves, as one with a large store and many policies does.
func TestDoorRefusesAfterAStartThatTookLong(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		start := time.Now()
		door := NewDoor(DoorOptions{Tenants: map[string]int{"blue": 1}, Used: func() time.Duration { return time.Minute + time.Since(start) }})
		time.Sleep(time.Minute)
		run(t, door)
		const answers = 100
		serve(door, 3*time.Second, answers, &flood{tenant: "blue", each: 2 * answers})
		flooding := &flood{tenant: "blue", each: 2 * answers}
		longest := serve(door, 3*time.Second, answers, flooding)
		if most := 2 * answers * int(DefaultDelay/time.Millisecond); longest > most {
			t.Errorf("%d were under way at a time, want at most %d", longest, most)
		}
	})
}

// TestDoorIsNotMisledByLateTicks has what looks at the door come late now and then, as it
// does where there is much to do, and what it sees be told in grains.
func TestDoorIsNotMisledByLateTicks(t *testing.T) {
	for name, tt := range map[string]struct{ late, grain time.Duration }{
		"two of them, and not to the next": {2*tick + tick/2, time.Nanosecond},
		"nearly to the next":               {2*tick - time.Millisecond, 4 * time.Millisecond},
		"to the next":                      {2 * tick, 4 * time.Millisecond},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				start := time.Now()
				looks := 0
				door := NewDoor(DoorOptions{Used: func() time.Duration {
					used := time.Since(start).Truncate(tt.grain)
					if looks++; looks%10 == 0 {
						time.Sleep(tt.late)
					}
					return used
				}})
				ctx, stop := context.WithTimeout(t.Context(), 10*time.Second)
				defer stop()
				if err := door.Run(ctx); err != nil {
					t.Fatal(err)
				}
				if door.most > 1.1 {
					t.Errorf("%.2f processors were used, it takes, of one that was", door.most)
				}
			})
		})
	}
}

// TestDoorForgivesWhatTheProcessWasKeptFrom has half of what can be answered come while
// the process has no processor now and then.
func TestDoorForgivesWhatTheProcessWasKeptFrom(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var used atomic.Int64
		door := NewDoor(DoorOptions{Tenants: map[string]int{"blue": 1}, Used: func() time.Duration { return time.Duration(used.Load()) }})
		run(t, door)
		const answers = 100
		half := &flood{tenant: "blue", each: answers / 2}
		for range 20 {
			serve(door, 100*time.Millisecond, answers, &flood{tenant: "blue", each: answers})
			used.Add(int64(100 * time.Millisecond))
		}
		for range 10 {
			serve(door, 60*time.Millisecond, 0, half)
			serve(door, 240*time.Millisecond, answers, half)
			used.Add(int64(150 * time.Millisecond))
		}
		if half.turned > half.in/50 {
			t.Errorf("%d of %d were refused", half.turned, half.in+half.turned)
		}
	})
}

// TestWhoStandsIsRefusedBeyondItsPart has all calls come from lines that stand.
func TestWhoStandsIsRefusedBeyondItsPart(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		door := running(t, map[string]int{"customer": 1, "workforce": 1, "weighted": 3})
		in, turned := map[string]int{}, map[string]int{}
		come := func(tenant string, n int) {
			for range n {
				call, err := door.Arrive(door.Of(tenant), true)
				if err != nil {
					turned[tenant]++
					continue
				}
				in[tenant]++
				call.Leave()
			}
		}
		for range 3000 {
			door.crowdAt(time.Now()) // as Line does
			come("customer", 100)
			come("workforce", 5)
			come("weighted", 100)
			time.Sleep(time.Millisecond)
		}
		if turned["workforce"] > 0 {
			t.Errorf("%d were refused of a tenant that has less than its part", turned["workforce"])
		}
		for _, tenant := range []string{"customer", "weighted"} {
			if in[tenant] == 0 || turned[tenant] == 0 {
				t.Errorf("%s: %d were let in and %d refused, want some of both", tenant, in[tenant], turned[tenant])
			}
		}
		if in["weighted"] < in["customer"]*3/2 {
			t.Errorf("%d were let in of a tenant with three times the weight of another, of which %d", in["weighted"], in["customer"])
		}
	})
}

func TestLine(t *testing.T) {
	type look struct {
		after         time.Duration
		bytes, unread int
	}
	const (
		delay  = DefaultDelay
		within = int(burst/delay) + 2 // two looks, until it is known to stand
	)
	again := func(n int, l look) []look { return slices.Repeat([]look{l}, n) }
	tests := map[string]struct {
		looks                 []look
		waits, stands, crowds bool
	}{
		"nothing is left":               {looks: again(100, look{delay, PieceBytes, 0})},
		"less than a piece was read":    {looks: again(1, look{delay, PieceBytes - 1, 1})},
		"many small reads are a piece":  {looks: again(8, look{time.Microsecond, PieceBytes / 4, 1}), waits: true},
		"a piece after a long silence":  {looks: again(1, look{time.Hour, PieceBytes, 10 * PieceBytes}), waits: true},
		"the rest is read within":       {looks: again(100, look{delay, PieceBytes, PieceBytes}), waits: true},
		"the rest is read after":        {looks: again(2, look{delay, PieceBytes, PieceBytes + PieceBytes/10}), waits: true, stands: true},
		"and so for as long as a burst": {looks: again(within, look{delay, PieceBytes, PieceBytes + PieceBytes/10}), waits: true, stands: true},
		"and so for longer":             {looks: again(within+1, look{delay, PieceBytes, PieceBytes + PieceBytes/10}), waits: true, stands: true, crowds: true},
		"the rest is read in years":     {looks: again(2, look{365 * 24 * time.Hour, PieceBytes, 8 << 20}), waits: true, stands: true},
		"until it is read to its end":   {looks: append(again(50, look{delay, PieceBytes, 10 * PieceBytes}), look{delay, 10, 0}), crowds: true},
		"until it gets shorter":         {looks: append(again(50, look{delay, PieceBytes, 10 * PieceBytes}), look{delay, PieceBytes, 10}), waits: true, crowds: true},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			waited := false
			door := NewDoor(DoorOptions{Idle: func() int { waited = true; return 1 }})
			door.tight.Store(true)
			line := door.Line()
			line.Begin(true)
			now := time.Now()
			for _, l := range tt.looks {
				line.Wait()
				now = now.Add(l.after)
				line.Read(now, l.bytes, l.unread)
			}
			if got := line.Stands(); got != tt.stands {
				t.Errorf("the line stands: %t, want %t", got, tt.stands)
			}
			if got := door.crowd.Load() != 0; got != tt.crowds {
				t.Errorf("the door is crowded: %t, want %t", got, tt.crowds)
			}
			waited = false
			if line.Wait(); waited != tt.waits {
				t.Errorf("the next piece waits: %t, want %t", waited, tt.waits)
			}
		})
	}
}

func TestLineWaitsAfterItsTurns(t *testing.T) {
	const turns = 3
	waits := 0
	door := NewDoor(DoorOptions{Idle: func() int { waits++; return turns }})
	door.tight.Store(true)
	line := door.Line()
	line.Begin(true)
	for range 1 + 10*turns {
		line.Wait()
		line.Read(time.Now(), PieceBytes, 1)
	}
	if waits != 10 {
		t.Errorf("it waits %d times for %d pieces, want 10", waits, 1+10*turns)
	}
}

// TestLineOfLargeMessagesWaitsLess reads so often what begins some calls.
func TestLineOfLargeMessagesWaitsLess(t *testing.T) {
	const reads = 64
	tests := map[string]struct {
		calls   int // that each read begins
		streams bool
		waits   int
	}{
		"messages that begin before":   {calls: 0, waits: reads * PieceBytes / MaxPieceBytes},
		"calls that are a piece":       {calls: PieceCalls, waits: reads - 1},
		"calls that are none, alone":   {calls: PieceCalls - 1, waits: reads / 2},
		"a stream, whatever it brings": {streams: true, waits: reads - 1},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			waits := 0
			door := NewDoor(DoorOptions{Idle: func() int { waits++; return 1 }})
			door.tight.Store(true)
			line := door.Line()
			if tt.streams {
				line.Begin(true)
				line.Read(time.Now(), PieceBytes, 0) // after which it still does
			}
			for range reads {
				line.Wait()
				line.Read(time.Now(), PieceBytes, 1)
				for range tt.calls {
					line.Begin(false)
				}
			}
			if waits != tt.waits {
				t.Errorf("it waits %d times, want %d", waits, tt.waits)
			}
		})
	}
}

// TestLineWaitsWhileThereIsMuchToDo has calls come until others would have to wait.
func TestLineWaitsWhileThereIsMuchToDo(t *testing.T) {
	waits := 0
	door := NewDoor(DoorOptions{Idle: func() int { waits++; return 1 }})
	line := door.Line()
	line.Begin(true)
	piece := func() {
		line.Wait()
		line.Read(time.Now(), PieceBytes, 1)
	}
	var last Call
	for range leastBusy * runtime.GOMAXPROCS(0) {
		piece()
		var err error
		if last, err = door.Arrive(nil, false); err != nil {
			t.Fatal(err)
		}
	}
	if waits > 0 {
		t.Errorf("it waits %d times while there is little to do", waits)
	}
	if piece(); waits != 1 {
		t.Errorf("it waits %d times when there is much to do, want once", waits)
	}
	last.Leave()
	if piece(); waits != 1 {
		t.Errorf("it waits %d times when there is little to do again, want none more", waits)
	}
}

func BenchmarkDoor(b *testing.B) {
	door := NewDoor(DoorOptions{Tenants: map[string]int{"blue": 1}})
	share := door.Of("blue")
	b.Run("alone", func(b *testing.B) {
		for b.Loop() {
			call, _ := door.Arrive(share, false)
			call.Leave()
		}
	})
	b.Run("parallel", func(b *testing.B) {
		b.RunParallel(func(pb *testing.PB) {
			for pb.Next() {
				call, _ := door.Arrive(share, false)
				call.Leave()
			}
		})
	})
}
