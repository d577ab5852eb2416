package admission

import "time"

// A Line is the calls that come from one connection, as far as they were not read yet:
// they wait in the network, where nobody counts them. While there is much to do, who sends
// more than a piece is read piece by piece, whenever a processor has nothing else to do,
// so that those who send less are held up by one piece; where all stay busy, by as many
// at a time as DoorOptions.Idle says. A line stands while the last of it would be read
// after the Door's delay. It is for use by the goroutine that reads the connection.
type Line struct {
	door *Door
	// turns is how many pieces may be read until the line has to wait.
	turns int
	// piece is how much was read of the piece under way, and began when that was begun:
	// zero after the line was empty.
	piece int
	began time.Time
	// slow is since when the line has been standing.
	slow time.Time
}

// PieceBytes are those of some fifteen calls.
const PieceBytes = 2 << 10

// Line is the line of a connection.
func (d *Door) Line() Line { return Line{door: d} }

// Wait is called before each time that something is read.
func (l *Line) Wait() {
	switch {
	case l.turns >= 0:
	case l.door.isBusy():
		l.turns = l.door.idle() - 1
	default:
		l.turns = 0
	}
}

// Read notes that so many bytes were read, and how many have come that were not.
func (l *Line) Read(now time.Time, bytes, unread int) {
	if unread == 0 {
		*l = Line{door: l.door}
		return
	}
	if l.piece += bytes; l.piece < PieceBytes {
		return
	}
	if !l.began.IsZero() {
		rest := float64(now.Sub(l.began)) * float64(unread) / float64(l.piece) // may be years
		l.look(now, rest > float64(l.door.delay))
	}
	l.began, l.piece = now, 0
	l.turns--
}

// look notes whether the last of the line would be read too late.
func (l *Line) look(now time.Time, isLate bool) {
	switch {
	case !isLate:
		l.slow = time.Time{}
	case l.slow.IsZero():
		l.slow = now
	case now.Sub(l.slow) > burst:
		l.door.crowdAt(now)
	}
}

// Stands reports whether the line does.
func (l *Line) Stands() bool { return !l.slow.IsZero() }
