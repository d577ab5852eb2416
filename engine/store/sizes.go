package store

// Sizes are how large a store is on its disk, in bytes.
type Sizes struct {
	// Tables hold what was written, Logs what is not in tables yet and what is too
	// large for them. Logs is looked at once in a minute.
	Tables, Logs int64
	// Free is what may still be written to the file system. It is negative where that
	// is not known, as in memory.
	Free int64
}

// Sizes are those of the store. It must not be closed.
func (s *Store) Sizes() Sizes {
	sizes := Sizes{Free: -1}
	for _, level := range s.db.Levels() {
		sizes.Tables += level.Size
	}
	_, sizes.Logs = s.db.Size()
	if s.disk.dir != "" {
		if free, known := s.disk.free(s.disk.dir); known {
			sizes.Free = free
		}
	}
	return sizes
}

// Head is the revision of the tenant's last change that the view shows; 0 where there
// is none.
func (v *View) Head() (uint64, error) { return readNumber(v.txn(), prefix(v.tenant, spaceHead)) }
