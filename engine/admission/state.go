package admission

// A State is how much is evaluated, and how much waits for its turn.
type State struct {
	// Taken is how many turns are taken, of at most Limit.
	Taken, Limit int
	// Checks and Longs are how many wait: for the turn of a single check, and for one of
	// long work.
	Checks, Longs int
}

// State is that of the turns.
func (t *Turns) State() State {
	t.mu.Lock()
	defer t.mu.Unlock()
	return State{Taken: int(t.state.Load() % somebodyWaits), Limit: int(t.limit), Checks: t.checks.count, Longs: t.longs.count}
}
