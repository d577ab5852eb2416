package benchmarks

import (
	"flag"
	"testing"
	"time"

	"github.com/verdictpdp/verdict/benchmarks/engines"
	"github.com/verdictpdp/verdict/benchmarks/scenario"
)

var scenarioUsers = flag.Int("scenario-users", scenario.Users, "users in the directories of the shipped bundles")

// BenchmarkScenario is what the command in decisions measures, one engine after
// another: for a profile, and for a look at one row.
//
//	go test -run '^$' -bench 'Scenario/^customer$/topdown/cycling' -cpuprofile cpu.out ./benchmarks
func BenchmarkScenario(b *testing.B) {
	for _, s := range scenario.All(*scenarioUsers) {
		b.Run(s.Name, func(b *testing.B) {
			w, err := s.World()
			if err != nil {
				b.Fatal(err)
			}
			for _, engine := range engines.All() {
				b.Run(engine.Name(), func(b *testing.B) {
					point, err := engine.Open(b.Context(), s, w)
					if err != nil {
						b.Fatal(err)
					}
					if err := engines.Warm(point, len(w.Questions), time.Second); err != nil {
						b.Fatal(err)
					}
					b.Run("one", func(b *testing.B) { decide(b, point, 1) })
					b.Run("cycling", func(b *testing.B) { decide(b, point, len(w.Questions)) })
				})
			}
		})
	}
}

// decide asks the first questions in turn.
func decide(b *testing.B, point engines.Point, questions int) {
	b.ReportAllocs()
	i := 0
	for b.Loop() {
		if _, err := point.Decide(i); err != nil {
			b.Fatal(err)
		}
		if i++; i == questions {
			i = 0
		}
	}
}
