package store

// A Rehearsal is a write that was run, and not made: what it found holds for as long as
// nothing that it has read changes.
type Rehearsal struct {
	head  uint64  // the tenant's last change, at the revision on which it was run
	reads []token // what it rests on
}

// Rehearse runs a write of a tenant against the latest revision, beside all others and
// without making it. Its error is returned.
func (s *Store) Rehearse(tenant string, apply func(*Tx) error) (*Rehearsal, error) {
	view, err := s.Latest(tenant)
	if err != nil {
		return nil, err
	}
	defer view.Close()
	tx := newTx(view)
	r := &Rehearsal{}
	if r.head, err = tx.head(); err != nil {
		return nil, err
	}
	if err := s.guard(func() error { return apply(tx) }); err != nil {
		return nil, err
	}
	r.reads = tx.reads
	return r, nil
}

// Stands reports whether what a rehearsal of the same write found still holds. Then it
// holds until the write is made.
func (tx *Tx) Stands(r *Rehearsal) (bool, error) {
	head, err := tx.head()
	if err != nil || head != r.head {
		return false, err
	}
	tx.reads = append(tx.reads, r.reads...)
	return true, nil
}

// head is the revision of the tenant's last change.
func (tx *Tx) head() (uint64, error) {
	return readNumber(tx.view.txn(), prefix(tx.Tenant(), spaceHead))
}
