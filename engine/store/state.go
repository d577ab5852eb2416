package store

import (
	"sync/atomic"

	"go.uber.org/zap"

	"github.com/verdictpdp/verdict/api/authz"
)

// A State is what a store can do at a moment.
type State struct {
	// Refused is why writes are refused; nil where they are taken. A disk that is
	// full may be cleared, and then they are taken again.
	Refused error
	// Damage is the first damage that was found since the store was opened; nil
	// where none was. What is read of a damaged record is an error, and writes are
	// refused, until the store is restored from a backup.
	Damage error
}

// State is what the store can do now. It asks for the room on the disk.
func (s *Store) State() State {
	return State{Refused: s.refusal(), Damage: s.damage.get()}
}

// refusal is why no write is made now.
func (s *Store) refusal() error {
	if err := s.failed.get(); err != nil {
		return err
	}
	if damage := s.damage.get(); damage != nil {
		// What is derived from a damaged record would be damaged as well.
		return authz.Errorf(authz.Unavailable, "the directory takes no writes, since it is damaged: restore it from a backup: %w", damage)
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
