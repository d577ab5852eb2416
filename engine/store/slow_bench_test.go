package store

import (
	"context"
	"slices"
	"testing"
	"time"

	"github.com/dgraph-io/badger/v4"
	"go.uber.org/zap"

	"github.com/verdictpdp/verdict/api/authz"
)

// BenchmarkSlowDisk reads while writes are under way all the time, each of whose syncs
// takes as long as is said, and tells the 99th percentile of reads.
func BenchmarkSlowDisk(b *testing.B) {
	for _, sync := range []time.Duration{0, 20 * time.Millisecond, time.Second} {
		b.Run(sync.String(), func(b *testing.B) {
			s, err := Open(Options{Dir: b.TempDir(), Retention: time.Hour, Clock: time.Now, Logger: zap.NewNop()})
			if err != nil {
				b.Fatal(err)
			}
			commitAt := s.commitAt
			s.commitAt = func(txn *badger.Txn, revision uint64) error {
				time.Sleep(sync)
				return commitAt(txn, revision)
			}
			write := func(ctx context.Context, n int) error {
				_, err := s.Update(ctx, tenant, func(tx *Tx) error {
					_, err := tx.PutEntity(authz.Entity{Ref: mina, Attributes: []byte{'0' + byte(n%10)}})
					return err
				})
				return err
			}
			if err := write(b.Context(), 0); err != nil {
				b.Fatal(err)
			}
			ctx, cancel := context.WithCancel(b.Context())
			ended := make(chan struct{})
			go func() {
				defer close(ended)
				for n := 1; write(ctx, n) == nil; n++ {
				}
			}()
			var took []time.Duration
			for b.Loop() {
				begun := time.Now()
				view, err := s.Latest(tenant)
				if err == nil {
					_, _, err = view.Entity(mina)
					view.Close()
				}
				if err != nil {
					b.Fatal(err)
				}
				took = append(took, time.Since(begun))
			}
			b.StopTimer()
			cancel()
			<-ended
			slices.Sort(took)
			b.ReportMetric(float64(took[len(took)*99/100].Nanoseconds()), "p99-ns")
			if err := s.Close(); err != nil {
				b.Fatal(err)
			}
		})
	}
}
