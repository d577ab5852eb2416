package main

import (
	"context"
	"errors"
	"sync"
	"time"
)

// A pause lets all work stop for a moment, with nothing under way.
type pause struct {
	mu      sync.Mutex
	resting chan struct{} // closed when the rest is over; nil while there is work
	working int
}

func newPause() *pause { return &pause{} }

// enter waits for the end of a rest, and begins a piece of work. leave ends it.
func (p *pause) enter(ctx context.Context) error {
	for {
		p.mu.Lock()
		resting := p.resting
		if resting == nil {
			p.working++
			p.mu.Unlock()
			return nil
		}
		p.mu.Unlock()
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-resting:
		}
	}
}

func (p *pause) leave() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.working--
}

// begun is whether a rest has begun, so that long work may end.
func (p *pause) begun() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.resting != nil
}

// patience is how long work may go on once a rest has begun: a client's longest
// call, and some.
const patience = 45 * time.Second

// rest waits until nothing is under way. over ends it.
func (p *pause) rest(ctx context.Context) error {
	p.mu.Lock()
	p.resting = make(chan struct{})
	p.mu.Unlock()
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	for {
		p.mu.Lock()
		idle := p.working == 0
		p.mu.Unlock()
		if idle {
			return nil
		}
		if !sleep(ctx, 20*time.Millisecond) {
			return errors.New("work goes on after a minute")
		}
	}
}

func (p *pause) over() {
	p.mu.Lock()
	defer p.mu.Unlock()
	close(p.resting)
	p.resting = nil
}
