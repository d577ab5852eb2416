package store

import (
	"os"

	"github.com/verdictpdp/verdict/api/authz"
)

// CloseUnused closes a store that was opened for nothing, such as for a server that could
// not start: one that Open has made, and that nobody has written to, is removed. Any other
// is only closed.
func (s *Store) CloseUnused() error {
	_, latest := s.Revisions()
	if err := s.Close(); err != nil || !canHold || !s.site.vacant || latest > 0 {
		return err
	}
	// Others may have opened it meanwhile.
	unlock, err := lockStore(s.disk.dir)
	if authz.KindOf(err) == authz.Unavailable {
		return nil
	}
	if err != nil {
		return err
	}
	defer unlock()
	if acknowledged, err := readAcknowledged(s.disk.dir); err != nil || acknowledged > 0 {
		return err
	}
	// What was loaded is not acknowledged.
	if tables, err := pathsEnding(s.disk.dir, ".sst"); err != nil || len(tables) > 0 {
		return err
	}
	if err := removeStore(s.disk.dir); err != nil {
		return err
	}
	if s.site.missing {
		_ = os.Remove(s.disk.dir) // which does nothing if there is something in it
	}
	return nil
}
