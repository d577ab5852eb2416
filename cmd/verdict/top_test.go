package main

import (
	"bytes"
	"context"
	"errors"
	"math"
	"strings"
	"testing"
	"time"

	"google.golang.org/protobuf/types/known/timestamppb"

	verdictv1 "github.com/verdictpdp/verdict/api/verdict/v1"
)

// lookAt is what a server that began at a time has counted of some tenants.
func lookAt(at, began time.Time, tenants map[string]*verdictv1.TenantActivity) countsAt {
	response := &verdictv1.GetStatusResponse{Server: &verdictv1.ServerStatus{Ready: true, StartedAt: timestamppb.New(began), CallsUnderWay: 3}}
	for _, name := range []string{"blue", "green"} {
		if activity, is := tenants[name]; is {
			response.Policies = append(response.Policies, &verdictv1.PolicyStatus{Tenant: name, Activity: activity})
		}
	}
	return countsAt{at, response}
}

func activity(allows, denies uint64, within ...uint64) *verdictv1.TenantActivity {
	a := &verdictv1.TenantActivity{Allows: allows, Denies: denies, Searches: allows}
	for i, n := range within {
		a.Latencies = append(a.Latencies, &verdictv1.LatencyBucket{Seconds: float64(i + 1), Decisions: n})
	}
	return a
}

func TestTopTellsWhatHappensInBetween(t *testing.T) {
	began := time.Unix(1000, 0)
	before := lookAt(began.Add(time.Minute), began, map[string]*verdictv1.TenantActivity{"blue": activity(100, 0, 100, 100), "green": activity(5, 5, 0, 10)})
	now := lookAt(began.Add(time.Minute+10*time.Second), began, map[string]*verdictv1.TenantActivity{"blue": activity(120, 0, 110, 120), "green": activity(105, 5, 100, 110)})
	report := newTopReport(before, now)
	if len(report.Tenants) != 2 || report.Tenants[0].Tenant != "green" || report.Tenants[0].Decisions != 10 || report.Tenants[1].Allows != 2 || report.Tenants[1].Denies != 0 {
		t.Errorf("tenants: %+v", report.Tenants)
	}
	if report.All.Decisions != 12 || report.All.Searches != 12 || report.Seconds != 10 {
		t.Errorf("all: %+v", report)
	}
	if half := *report.Tenants[1].Half; half != 1 { // ten of the twenty took at most 1 s
		t.Errorf("half of blue's within %v", half)
	}
	again := newTopReport(now, lookAt(began.Add(2*time.Hour), began.Add(time.Hour), map[string]*verdictv1.TenantActivity{"blue": activity(3600, 0)}))
	if again.All.Decisions != 1 {
		t.Errorf("after a restart: %+v", again.All)
	}
}

func TestWithin(t *testing.T) {
	buckets := activity(0, 0, 10, 10, 30).Latencies
	for _, tt := range []struct {
		name      string
		decisions uint64
		part      float64
		want      float64 // NaN for nothing
	}{
		{"none", 0, 0.5, math.NaN()},
		{"in the first", 30, 0.1, 0.3},
		{"at a bound", 20, 0.5, 1},
		{"over an empty one", 30, 0.5, 2.25},
		{"beyond the last", 100, 0.99, 3},
	} {
		t.Run(tt.name, func(t *testing.T) {
			got := within(buckets, tt.decisions, tt.part)
			if got == nil != math.IsNaN(tt.want) || got != nil && math.Abs(*got-tt.want) > 1e-9 {
				t.Errorf("got %v, want %v", got, tt.want)
			}
		})
	}
}

// TestTopTellsOnce holds that who pipes it gets one table, or one line of JSON, and what
// went wrong.
func TestTopTellsOnce(t *testing.T) {
	began := time.Unix(1000, 0)
	looks := 0
	look := func(context.Context) (countsAt, error) {
		looks++
		if looks > 2 {
			return countsAt{}, errors.New("gone")
		}
		return lookAt(began.Add(time.Duration(looks)*time.Second), began, map[string]*verdictv1.TenantActivity{"blue": activity(uint64(looks)*50, 0, uint64(looks)*50)}), nil
	}
	for f, want := range map[format][]string{formatText: {"ready  3 calls under way  in the last 1s\n", "\nblue    50 ", "500ms"}, formatJSON: {`"all":{"decisions_per_second":50,`, `"tenant":"blue"`}} {
		looks = 0
		var out bytes.Buffer
		if err := (&printer{out: &out, format: f}).top(t.Context(), look, time.Millisecond, 10); err != nil {
			t.Fatal(err)
		}
		for _, part := range want {
			if !strings.Contains(out.String(), part) {
				t.Errorf("%s has no %q:\n%s", f, part, out.String())
			}
		}
	}
	looks = 2
	if err := (&printer{out: &bytes.Buffer{}}).top(t.Context(), look, time.Millisecond, 10); err == nil || err.Error() != "gone" {
		t.Errorf("got %v", err)
	}
}

// TestRedrawLeavesNothingOfTheReportBefore draws over a longer one.
func TestRedrawLeavesNothingOfTheReportBefore(t *testing.T) {
	var out bytes.Buffer
	p := &printer{out: &out}
	if err := p.redraw(topReport{Ready: true, Tenants: []rateReport{{Tenant: "a\x1b[2Jb"}}}); err != nil {
		t.Fatal(err)
	}
	text := out.String()
	if !strings.HasPrefix(text, "\x1b[Hready") || !strings.HasSuffix(text, "\x1b[J") || strings.Count(text, "\n") != strings.Count(text, "\x1b[K\n") {
		t.Errorf("got %q", text)
	}
	if strings.Contains(text, "\x1b[2J") {
		t.Errorf("a tenant's name reaches the terminal as it is: %q", text)
	}
}
