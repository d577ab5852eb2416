package pdp

import (
	"context"
	"encoding/binary"
	"encoding/json"
	"math"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/uuid"

	"github.com/verdictpdp/verdict/api/authz"
)

func TestIDs(t *testing.T) {
	var ids idSource
	last := ""
	for range 1000 {
		id := ids.next(time.Now())
		if parsed, err := uuid.Parse(id); err != nil || parsed.Version() != 7 {
			t.Fatalf("%s is no UUID of version 7: %v", id, err)
		}
		if id <= last {
			t.Fatalf("%s does not come after %s", id, last)
		}
		last = id
	}
}

// Names made at once are all different, and each goroutine's are in order.
func TestIDsOfManyGoroutines(t *testing.T) {
	const goroutines, each = 8, 1000
	var ids idSource
	made := make([][]string, goroutines)
	var all sync.WaitGroup
	for g := range made {
		all.Go(func() {
			for range each {
				made[g] = append(made[g], ids.next(time.Unix(0, 0)))
			}
		})
	}
	all.Wait()
	different := map[string]bool{}
	for _, names := range made {
		if !slices.IsSorted(names) {
			t.Error("the names of a goroutine are not in order")
		}
		for _, name := range names {
			different[name[len(name)-16:]] = true // the random part
		}
	}
	if len(different) != goroutines*each {
		t.Errorf("%d random parts of %d names", len(different), goroutines*each)
	}
}

func TestBudget(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	b := newBudget(ctx, time.Now(), time.Hour)
	defer b.release()
	if err := b.Err(); err != nil {
		t.Errorf("before the end: %v", err)
	}
	select {
	case <-b.Done():
		t.Error("done before the end")
	default:
	}
	cancel()
	<-b.Done()
	if err := b.Err(); err != context.Canceled {
		t.Errorf("after the caller's end: %v", err)
	}
	over := newBudget(t.Context(), time.Now().Add(-3*time.Second), time.Second)
	defer over.release()
	if err := over.Err(); err != context.DeadlineExceeded {
		t.Errorf("after the time: %v", err)
	}
	<-over.Done()
	early, cancelEarly := context.WithDeadline(t.Context(), time.Now().Add(time.Minute))
	defer cancelEarly()
	want, _ := early.Deadline()
	if got, _ := newBudget(early, time.Now(), time.Hour).Deadline(); !got.Equal(want) {
		t.Errorf("the deadline is %v, the caller's %v", got, want)
	}
}

// TestBudgetOfAStalledProcess has a policy look at the clock as often as it does, but for
// the times when the process is kept from the processor.
func TestBudgetOfAStalledProcess(t *testing.T) {
	const within, look = 100 * time.Millisecond, 10 * time.Microsecond
	tests := map[string]struct {
		stalls []time.Duration // each before a look
		runs   time.Duration   // how long it looks on then, as often as it does
		want   error
	}{
		"not at all":                           {runs: within - look},
		"to the end of its time":               {runs: within, want: context.DeadlineExceeded},
		"for longer than its time":             {stalls: []time.Duration{within + look}},
		"several times":                        {stalls: []time.Duration{within * 3 / 5, within * 3 / 5}, runs: within / 2},
		"and to the end of what is left":       {stalls: []time.Duration{within * 3 / 5}, runs: within, want: context.DeadlineExceeded},
		"once more as long and to the end":     {stalls: []time.Duration{within}, runs: within, want: context.DeadlineExceeded},
		"for twice its time":                   {stalls: []time.Duration{2 * within}, want: context.DeadlineExceeded},
		"for as long as looks may be apart":    {stalls: slices.Repeat([]time.Duration{stall}, int(within/stall)), want: context.DeadlineExceeded},
		"by a built-in that does not end soon": {stalls: slices.Repeat([]time.Duration{stall + look}, 2*int(within/stall)), want: context.DeadlineExceeded},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				b := newBudget(t.Context(), time.Now(), within)
				defer b.release()
				var err error
				for _, stalled := range test.stalls {
					time.Sleep(stalled)
					err = b.Err()
				}
				for range test.runs / look {
					time.Sleep(look)
					err = b.Err()
				}
				if err != test.want {
					t.Errorf("its end is %v, want %v", err, test.want)
				}
			})
		})
	}
}

// TestBudgetThatIsWaitedFor holds that Done is closed with an error, though nobody has
// looked at the clock for longer than a stall: the contexts below would panic without one.
func TestBudgetThatIsWaitedFor(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBudget(t.Context(), time.Now(), 2*stall)
		defer b.release()
		<-b.Done()
		if err := b.Err(); err != context.DeadlineExceeded {
			t.Errorf("at the end of its time: %v", err)
		}
		released := newBudget(t.Context(), time.Now(), time.Hour)
		done := released.Done()
		released.release()
		<-done
		if err := released.Err(); err != context.Canceled {
			t.Errorf("after the evaluation: %v", err)
		}
	})
}

// FuzzInspect feeds requests as an edge decodes them, and holds the estimate
// of their size to the bytes of their JSON.
func FuzzInspect(f *testing.F) {
	f.Add("t", "user", "ann", "read", "doc", "d", []byte(`{"a":[1,{"b":null}],"c":"é"}`))
	f.Add("", "\xff", "x", "", "a:b", "d", []byte(`[]`))
	f.Add("t", "u", "a", "r", "d", "d", []byte(strings.Repeat(`{"x":`, 70)+"1"+strings.Repeat("}", 70)))
	f.Fuzz(func(t *testing.T, tenant, subjectType, subjectID, action, resourceType, resourceID string, properties []byte) {
		var object authz.Object
		decoder := json.NewDecoder(strings.NewReader(string(properties)))
		decoder.UseNumber()
		if decoder.Decode(&object) != nil {
			object = nil
		}
		request := &authz.Request{
			Tenant: tenant, Subject: authz.Subject{Type: subjectType, ID: subjectID, Properties: object},
			Action: authz.Action{Name: action}, Resource: authz.Resource{Type: resourceType, ID: resourceID},
		}
		size, err := inspect(request, math.MaxInt)
		if err != nil {
			if authz.KindOf(err) != authz.Invalid || len(authz.ViolationsOf(err)) == 0 {
				t.Errorf("%v is of kind %s", err, authz.KindOf(err))
			}
			return
		}
		exact, err := json.Marshal(request)
		if err != nil {
			t.Fatal(err)
		}
		// Escapes make JSON longer, up to six bytes for one.
		if size > len(exact)+envelopeBytes || len(exact) > 6*size {
			t.Errorf("%d bytes are estimated at %d", len(exact), size)
		}
	})
}

func BenchmarkNewID(b *testing.B) {
	b.ReportAllocs()
	var ids idSource
	for b.Loop() {
		ids.next(time.Now())
	}
}

func BenchmarkBudget(b *testing.B) {
	b.ReportAllocs()
	for b.Loop() {
		budget := newBudget(b.Context(), time.Now(), time.Second)
		_ = budget.Err()
		budget.release()
	}
}

func BenchmarkContextWithTimeout(b *testing.B) {
	b.ReportAllocs()
	for b.Loop() {
		ctx, cancel := context.WithTimeout(b.Context(), time.Second)
		_ = ctx.Err()
		cancel()
	}
}

// FuzzReadSearchToken reads what a signature would vouch for: what is a token is
// written again and read as the same one.
func FuzzReadSearchToken(f *testing.F) {
	tokens, request := newSearchTokens(), &authz.Request{Tenant: "default"}
	body := func(token searchToken) []byte {
		return append(binary.AppendUvarint(token.pins(), uint64(token.limit)), token.after...)
	}
	f.Add(body(searchToken{directory: 1, now: time.Unix(0, 7), limit: 100, after: "doc-7"}))
	f.Add(body(searchToken{directory: math.MaxUint64, now: time.Unix(0, math.MinInt64), limit: math.MaxInt32}))
	f.Add([]byte{})
	f.Fuzz(func(t *testing.T, data []byte) {
		token, read := readSearchToken(data)
		if !read {
			return
		}
		if token.directory == 0 || token.limit <= 0 || token.limit > math.MaxInt32 {
			t.Errorf("a token without a directory or with a limit out of bounds: %+v", token)
		}
		text, err := tokens.text(token, Resources, request)
		if err != nil {
			t.Fatal(err)
		}
		if again, err := tokens.parse(text, Resources, request); err != nil || again != token {
			t.Errorf("%+v is written as %s and read as %+v, %v", token, text, again, err)
		}
		if _, err := tokens.parse(text, Subjects, request); authz.KindOf(err) != authz.Invalid {
			t.Errorf("a token of another search is taken: %v", err)
		}
	})
}
