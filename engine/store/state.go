package store

import (
	"sync/atomic"

	"go.uber.org/zap"

	"github.com/verdictpdp/verdict/api/authz"
)

// Refused is why writes are refused at the moment; nil where they are taken. A disk
// that is full may be cleared, and then they are taken again.
func (s *Store) Refused() error {
	view, err := s.Latest("") // which keeps the store open meanwhile
	if err != nil {
		return err
	}
	defer view.Close()
	return s.refusal()
}

// Damage is the first damage that was found since the store was opened; nil where
// none was. What is read of a damaged record is an error, and writes are refused,
// until the store is restored from a backup.
func (s *Store) Damage() error { return s.damage.get() }

var errDamaged = &authz.Error{Kind: authz.Unavailable, Message: "the directory takes no writes, since it is damaged, and the log says where: restore it from a backup"}

// refusal is why no write is made now.
func (s *Store) refusal() error {
	if err := s.failed.get(); err != nil {
		return err
	}
	if s.damage.get() != nil {
		// What is derived from a damaged record would be damaged as well. Where the
		// damage is may be another tenant's.
		return errDamaged
	}
	if err := s.expectRoomToCommit(); err != nil {
		return err
	}
	return s.disk.expectDescriptor()
}

// noteDamage remembers the first damage.
func (s *Store) noteDamage(err error) {
	if s.damage.set(err) {
		s.options.Logger.Error("the store is damaged: restore it from a backup", zap.Error(err))
	}
}

// A fault is an error that stays once it has come. It is safe for use by many
// goroutines.
type fault struct{ err atomic.Pointer[error] }

// set reports whether err is the first.
func (f *fault) set(err error) bool { return f.err.CompareAndSwap(nil, &err) }

func (f *fault) get() error {
	if err := f.err.Load(); err != nil {
		return *err
	}
	return nil
}
