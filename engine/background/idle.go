package background

import (
	"errors"
	"math"
	"os"
	"runtime"
	"sync"
	"syscall"
	"time"
)

// An Idle lets those who can wait go on when a processor has nothing else to do, one at
// a time, in the order in which they came, and beside each one that does long work. Where
// all processors stay busy, it lets as many go as they could have done the work of
// meanwhile, so that none waits for ever.
//
// Go's scheduler asks the system what the network brought when nothing is left that can
// run, or after ten milliseconds. So what is woken by something that comes from the
// system has let all go first that could, and those who wait for the network are woken
// with it. An Idle writes to a pipe, and waits until it may read that.
//
// A nil Idle has nobody wait.
type Idle struct {
	reader, writer *os.File
	raw            syscall.RawConn

	mu      sync.Mutex
	waiting []chan int
	working []chan int // long work that waits
	closed  bool
	asked   chan struct{} // holds one if there may be somebody who waits
	ended   chan struct{}
}

// turn is for how long one who is let go uses a processor, about.
const turn = time.Millisecond

// NewIdle makes an Idle. The error is of the system, which has no pipe for it.
func NewIdle() (*Idle, error) {
	reader, writer, err := os.Pipe()
	if err != nil {
		return nil, err
	}
	raw, err := reader.SyscallConn()
	if err != nil {
		_ = reader.Close()
		_ = writer.Close()
		return nil, err
	}
	i := &Idle{reader: reader, writer: writer, raw: raw, asked: make(chan struct{}, 1), ended: make(chan struct{})}
	go i.run()
	return i, nil
}

// Wait returns once a processor has nothing else to do, and nobody waits who came
// before, for how many turns the caller may go on: more than one where no processor was
// idle for long.
func (i *Idle) Wait() (turns int) {
	if i == nil {
		return math.MaxInt
	}
	return i.wait(&i.waiting)
}

// waitToWork returns once a processor has nothing else to do, and no other long work waits
// that came before. The others may be as many as there are connections, and work waits for
// each piece of it: behind all of them it would hardly get on.
func (i *Idle) waitToWork() {
	if i != nil {
		i.wait(&i.working)
	}
}

// wait waits at the end of a line.
func (i *Idle) wait(line *[]chan int) (turns int) {
	mine := make(chan int, 1)
	i.mu.Lock()
	if i.closed {
		i.mu.Unlock()
		return math.MaxInt
	}
	*line = append(*line, mine)
	i.mu.Unlock()
	i.ask()
	return <-mine
}

func (i *Idle) ask() {
	select {
	case i.asked <- struct{}{}:
	default:
	}
}

// run lets go those who wait, until Close.
func (i *Idle) run() {
	defer close(i.ended)
	for range i.asked {
		from := time.Now()
		if err := i.pass(); err != nil {
			break
		}
		i.letGo(1+int(time.Since(from)/turn)*runtime.GOMAXPROCS(0), 1)
	}
	i.mu.Lock()
	i.closed = true
	i.mu.Unlock()
	i.letGo(math.MaxInt, math.MaxInt)
}

// pass returns when a processor has asked what the system has. It writes once it is sure
// to be woken by that, and not before.
func (i *Idle) pass() error {
	var note [1]byte
	isWritten := false
	var failed error
	err := i.raw.Read(func(uintptr) (isDone bool) {
		if !isWritten {
			isWritten = true
			_, failed = i.writer.Write(note[:])
			return failed != nil
		}
		return true
	})
	if err = errors.Join(err, failed); err != nil {
		return err
	}
	_, err = i.reader.Read(note[:])
	return err
}

// letGo lets those who wait go on for so many turns, all together, and so many of those who
// work.
func (i *Idle) letGo(turns, workers int) {
	i.mu.Lock()
	first, working := take(&i.waiting, turns), take(&i.working, workers)
	more := len(i.waiting)+len(i.working) > 0
	i.mu.Unlock()
	for _, one := range first {
		one <- turns / len(first)
	}
	for _, one := range working {
		one <- 1
	}
	if more {
		i.ask()
	}
}

// take takes the first from a line, so many at most.
func take(line *[]chan int, most int) (first []chan int) {
	n := min(most, len(*line))
	first, *line = (*line)[:n], (*line)[n:]
	return first
}

// Close lets all go, now and from now on.
func (i *Idle) Close() {
	if i == nil {
		return
	}
	_ = i.writer.Close()
	_ = i.reader.Close()
	i.ask()
	<-i.ended
}
