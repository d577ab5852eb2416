package store

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	"go.uber.org/zap"

	"github.com/verdictpdp/verdict/api/authz"
)

// BenchmarkSeal is what the checksum of a record of usual size takes when it is read.
func BenchmarkSeal(b *testing.B) {
	key := refKey(tenant, spaceEntity, authz.EntityRef{Type: "user", ID: "someone-of-usual-length"})
	sealed := seal(key, 17, make([]byte, 190))
	b.SetBytes(int64(len(key) + len(sealed)))
	for b.Loop() {
		if _, err := unseal(key, 17, sealed); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkVerify is what it takes to verify a store's tables before it is opened, with
// its pages in memory: a disk that reads slower than that decides otherwise.
func BenchmarkVerify(b *testing.B) {
	dir := b.TempDir()
	s, err := Open(Options{Dir: dir, Retention: time.Hour, Clock: time.Now, Logger: zap.NewNop()})
	if err != nil {
		b.Fatal(err)
	}
	for i := range 20 {
		_, err := s.Update(b.Context(), tenant, func(tx *Tx) error {
			for j := range 5_000 {
				ref := authz.EntityRef{Type: "user", ID: fmt.Sprint("u", 5_000*i+j)}
				if _, err := tx.PutEntity(authz.Entity{Ref: ref, Attributes: fmt.Appendf(nil, `{"note":"%0180d"}`, j)}); err != nil {
					return err
				}
			}
			return nil
		})
		if err != nil {
			b.Fatal(err)
		}
	}
	if err := s.Close(); err != nil {
		b.Fatal(err)
	}
	tables, err := filepath.Glob(filepath.Join(dir, "*.sst"))
	if err != nil {
		b.Fatal(err)
	}
	var size int64
	for _, table := range tables {
		info, err := os.Stat(table)
		if err != nil {
			b.Fatal(err)
		}
		size += info.Size()
	}
	b.SetBytes(size)
	for b.Loop() {
		if _, err := verifyFiles(dir); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkRead reads entities of a store whose records are in tables, with the blocks
// verified and without.
func BenchmarkRead(b *testing.B) {
	const entities = 20_000
	dir := b.TempDir()
	options := Options{Dir: dir, Retention: time.Hour, Clock: time.Now, Logger: zap.NewNop()}
	s, err := Open(options)
	if err != nil {
		b.Fatal(err)
	}
	for first := 0; first < entities; first += 1000 {
		_, err := s.Update(b.Context(), tenant, func(tx *Tx) error {
			for i := range 1000 {
				ref := authz.EntityRef{Type: "user", ID: fmt.Sprint("u", first+i)}
				if _, err := tx.PutEntity(authz.Entity{Ref: ref, Attributes: fmt.Appendf(nil, `{"department":"d%d","title":"nurse"}`, i)}); err != nil {
					return err
				}
			}
			return nil
		})
		if err != nil {
			b.Fatal(err)
		}
	}
	if err := s.Close(); err != nil {
		b.Fatal(err)
	}
	if s, err = Open(options); err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { _ = s.Close() })
	levels := s.blocks.levels.Load()
	for _, mode := range []string{"verified", "bare"} {
		b.Run(mode, func(b *testing.B) {
			to := levels
			if mode == "bare" {
				to = nil
			}
			set := func() { s.blocks.levels.Store(to) } // again each time, for it follows the tables
			set()
			defer s.blocks.levels.Store(levels)
			view, err := s.Latest(tenant)
			if err != nil {
				b.Fatal(err)
			}
			defer view.Close()
			b.Run("entity", func(b *testing.B) {
				b.ReportAllocs()
				for i := 0; b.Loop(); i++ {
					set()
					if _, found, err := view.Entity(authz.EntityRef{Type: "user", ID: fmt.Sprint("u", i*7919%entities)}); !found || err != nil {
						b.Fatal(found, err)
					}
				}
			})
			b.Run("none", func(b *testing.B) {
				for i := 0; b.Loop(); i++ {
					set()
					if _, found, err := view.Entity(authz.EntityRef{Type: "user", ID: fmt.Sprint("v", i)}); found || err != nil {
						b.Fatal(found, err)
					}
				}
			})
			b.Run("all", func(b *testing.B) {
				for b.Loop() {
					set()
					if err := view.EachEntity("user", "", func(Record) bool { return true }); err != nil {
						b.Fatal(err)
					}
				}
			})
		})
	}
}
