package admission

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"github.com/verdictpdp/verdict/api/authz"
)

// running is a door that adapts until the test ends.
func running(t *testing.T, tenants map[string]int) *Door {
	t.Helper()
	door := NewDoor(DoorOptions{Tenants: tenants})
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
	return door
}

func TestDoorLetsBurstsIn(t *testing.T) {
	door := NewDoor(DoorOptions{Tenants: map[string]int{"blue": 1}})
	for range leastMany {
		if _, err := door.Arrive(door.Of("blue"), false); err != nil {
			t.Fatal(err)
		}
	}
}

func TestWithoutADoorAllAreLetIn(t *testing.T) {
	var door *Door
	call, err := door.Arrive(door.Of("blue"), true)
	if err != nil || door.Hold(time.Now()) != 0 {
		t.Error(err)
	}
	call.Leave()
}

// A flood is calls of a tenant that come at a rate and are answered, together with
// those of others, at the server's.
type flood struct {
	tenant     string
	each       int // millisecond
	in, turned int
}

// serve has floods come for a time to a server that answers so many a millisecond, in
// the order in which they came.
func serve(door *Door, over time.Duration, answers int, floods ...*flood) (longest int) {
	var inside []Call
	for range over / time.Millisecond {
		for _, f := range floods {
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
	now := time.Now()
	if hold := door.Hold(now.Add(time.Second)); hold != 0 {
		t.Errorf("after one refusal connections are held for %v", hold)
	}
	for range 1_000_000 {
		door.refuse(now)
	}
	if hold := door.Hold(now); hold != mostHold {
		t.Errorf("after many refusals connections are held for %v, want %v", hold, mostHold)
	}
}

func TestLine(t *testing.T) {
	type look struct {
		every, took time.Duration
		bytes, room int
	}
	const room = 32 << 10
	tests := []struct {
		name  string
		looks look
		n     int
		want  bool
	}{
		{"few at a time", look{time.Millisecond, time.Microsecond, 1 << 10, room}, 1000, false},
		{"many that had to be waited for", look{time.Millisecond, time.Millisecond, 8 << 10, room}, 1000, false},
		{"many that had come, once", look{time.Millisecond, time.Microsecond, 8 << 10, room}, 1, false},
		{"many that had come, again and again", look{time.Millisecond, time.Microsecond, 8 << 10, room}, 1000, true},
		{"more than fits, however long it takes", look{time.Millisecond, time.Millisecond, room, room}, 1000, true},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			door := NewDoor(DoorOptions{})
			line := door.Line()
			now := line.empty
			for range tt.n {
				now = now.Add(tt.looks.every)
				line.Read(now.Add(-tt.looks.took), now, tt.looks.bytes, tt.looks.room)
			}
			if got := line.Stands(); got != tt.want {
				t.Errorf("the line stands: %t, want %t", got, tt.want)
			}
			line.Read(now, now.Add(time.Microsecond), 10, room)
			if line.Stands() {
				t.Error("a line that was read to its end stands")
			}
		})
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
