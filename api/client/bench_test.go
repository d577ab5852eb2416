package client

import (
	"fmt"
	"sync"
	"testing"

	"github.com/verdictpdp/verdict/api/authz"
)

// BenchmarkCheck is the time of a check, server included, with one caller and with
// many, alone and gathered. What it costs the server is measured by
// benchmarks/transport.
func BenchmarkCheck(b *testing.B) {
	address := startVerdict(b, &decider{decide: allowReads}, "", nil).address
	for _, way := range []struct {
		name    string
		options []Option
	}{{"alone", []Option{WithoutCoalescing()}}, {"gathered", nil}} {
		c := dialTo(b, address, way.options...)
		for _, callers := range []int{1, 8, 64, 512} {
			b.Run(fmt.Sprintf("%s/callers=%d", way.name, callers), func(b *testing.B) {
				var asking sync.WaitGroup
				next := make(chan authz.Request, callers)
				for range callers {
					asking.Go(func() {
						for request := range next {
							if _, err := c.Check(b.Context(), request); err != nil {
								b.Error(err)
							}
						}
					})
				}
				b.ReportAllocs()
				for b.Loop() {
					next <- requestAbout("1")
				}
				close(next)
				asking.Wait()
			})
		}
	}
}
