package mapping

import (
	"encoding/json"
	"fmt"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/verdictpdp/verdict/api/authz"
)

// benchHeaders are what a browser sends.
var benchHeaders = map[string]string{
	"accept":          "text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,image/webp,*/*;q=0.8",
	"accept-language": "en-US,en;q=0.5", "accept-encoding": "gzip, deflate, br, zstd",
	"user-agent": "Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Firefox/128.0",
	"cookie":     "session=0123456789abcdef0123456789abcdef; theme=dark", "referer": "https://records.example/patients",
	"sec-fetch-dest": "document", "sec-fetch-mode": "navigate", "sec-fetch-site": "same-origin",
	"x-request-id": "3f0c8d5e-2a54-4a6c-9f3b-1f1f6f2f9a01", "x-forwarded-proto": "https", "x-forwarded-for": "10.0.0.7",
}

// manyRoutes is a table with a route for each of so many services, and two below it.
func manyRoutes(tb testing.TB, services int) string {
	var routes []any
	for i := range services {
		base := fmt.Sprintf("/service%d", i)
		routes = append(routes,
			map[string]any{"path": base + "/items/{id}", "type": "item", "id": "{id}"},
			map[string]any{"path": base + "/items/{item}/notes/{note}", "type": "note", "id": "{note}", "methods": []string{"GET", "PUT"}},
			map[string]any{"path": base + "/items/{id}/close", "type": "item", "id": "{id}", "action": "close"})
	}
	data, err := json.Marshal(map[string]any{"http": map[string]any{
		"routes": routes, "principals": map[string]any{"type": "service", "prefix": "spiffe://example/"},
	}})
	if err != nil {
		tb.Fatal(err)
	}
	return string(data)
}

// BenchmarkAnswer is all but the decision.
func BenchmarkAnswer(b *testing.B) {
	for _, services := range []int{1, 100, 1000} {
		mapper := newMapper(ruleOf(b, manyRoutes(b, services), ""), answering(authz.Decision{Allowed: true}))
		mapper.Evaluation = time.Minute // of a machine that others use as well
		message := readPatient()
		message.Target, message.Headers = "/service0/items/7/notes/n1?full=1", benchHeaders
		b.Run(fmt.Sprintf("routes=%d", 3*services), func(b *testing.B) {
			b.ReportAllocs()
			start := cpuTime(b)
			for b.Loop() {
				if answer, err := mapper.Answer(b.Context(), message); err != nil || !answer.Allowed() {
					b.Fatal(answer, err)
				}
			}
			b.ReportMetric(float64((cpuTime(b)-start).Nanoseconds())/float64(b.N), "cpu-ns/op")
		})
	}
}

// BenchmarkDocument is what comes before the rule.
func BenchmarkDocument(b *testing.B) {
	message := readPatient()
	message.Headers = benchHeaders
	b.ReportAllocs()
	for b.Loop() {
		if _, err := message.Document(); err != nil {
			b.Fatal(err)
		}
	}
}

// cpuTime is the CPU time of this process, which tells more than the clock does
// where others are at work.
func cpuTime(tb testing.TB) time.Duration {
	var usage unix.Rusage
	if err := unix.Getrusage(unix.RUSAGE_SELF, &usage); err != nil {
		tb.Fatal(err)
	}
	return time.Duration(usage.Utime.Nano() + usage.Stime.Nano())
}
