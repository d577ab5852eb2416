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
	// calls are those that the piece began, known of each read at the next: so of the first
	// they are taken to be enough. streams says that messages are calls as well, which
	// nobody counts here.
	calls   int
	streams bool
	// slow is since when the line has been standing.
	slow time.Time
}

const (
	// PieceBytes are those of some fifteen small calls. A piece has no fewer.
	PieceBytes = 2 << 10
	// PieceCalls end a piece. Fewer have larger messages, which cost little to read and
	// would not be there in time if they came by PieceBytes.
	PieceCalls = 8
	// MaxPieceBytes, those of a frame of HTTP/2, end a piece whatever it has.
	MaxPieceBytes = 16 << 10
)

// Line is the line of a connection.
func (d *Door) Line() Line { return Line{door: d, calls: PieceCalls} }

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

// Begin notes that what was read began a call; one that streams has messages that are
// calls as well.
func (l *Line) Begin(streams bool) {
	l.calls++
	l.streams = l.streams || streams
}

// Read notes that so many bytes were read, and how many have come that were not.
func (l *Line) Read(now time.Time, bytes, unread int) {
	if unread == 0 {
		*l = Line{door: l.door, calls: PieceCalls, streams: l.streams}
		return
	}
	l.piece += bytes
	if l.piece < PieceBytes || l.piece < MaxPieceBytes && l.calls < PieceCalls && !l.streams {
		return
	}
	if !l.began.IsZero() {
		rest := float64(now.Sub(l.began)) * float64(unread) / float64(l.piece) // may be years
		l.look(now, rest > float64(l.door.delay))
	}
	l.began, l.piece, l.calls = now, 0, 0
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
