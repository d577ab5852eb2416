package admission

import "time"

// A Line is the calls that come from one connection, as far as they were not read yet:
// they wait in the network, where nobody counts them. It stands while each look at it
// finds many that have come before. It is for use by the goroutine that reads the
// connection.
type Line struct {
	door *Door
	// empty is when the line was last seen to be.
	empty  time.Time
	stands bool
}

const (
	// oneLook are the bytes of some thirty calls: with fewer, nothing stands.
	oneLook = 4 << 10
	// atOnce is how long it takes to read what is there; longer is to wait for it.
	atOnce = 20 * time.Microsecond
)

// Line is the line of a connection.
func (d *Door) Line() Line { return Line{door: d, empty: time.Now()} }

// Read notes that from a time to another so many bytes were read, of as many as there
// was room for.
func (l *Line) Read(from, to time.Time, bytes, room int) {
	if bytes < oneLook || bytes < room && to.Sub(from) > atOnce {
		l.empty, l.stands = to, false
		return
	}
	stood := to.Sub(l.empty)
	if stood > burst {
		l.door.crowd.Store(to.UnixNano())
	}
	l.stands = stood > l.door.delay
}

// Stands reports whether the line does, longer than it should.
func (l *Line) Stands() bool { return l.stands }
