package main

import (
	"context"
	"errors"
	"math/rand/v2"
	"sync"
	"time"
)

const (
	// connections are those of one load.
	connections = 8
	// patience is the time of a call, from when it was due: it is given up then, be
	// it sent or not, and the server is told how much of it is left.
	patience = time.Second
	// warm is how long a load is offered before it counts.
	warm = time.Second
	// step is how often what is due is sent.
	step = 200 * time.Microsecond
)

// A load asks one server, on connections of its own, with messages in turn.
type load struct {
	record   record
	messages []message
	// heed has callers hold back calls while most are refused, as api/client does.
	heed        *throttle
	connections []*connection
}

func newLoad(from, address string, messages []message, heed bool) (*load, error) {
	l := &load{messages: messages}
	if heed {
		l.heed = &throttle{}
		l.record.heed = l.heed
	}
	for range connections {
		c, err := connect(from, address, &l.record)
		if err != nil {
			return nil, errors.Join(err, l.close())
		}
		l.connections = append(l.connections, c)
	}
	return l, nil
}

func (l *load) close() error {
	for _, c := range l.connections {
		c.close()
	}
	return nil
}

// each runs a loop for each connection.
func (l *load) each(ctx context.Context, loop func(ctx context.Context, i int, c *connection) error) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	var loops sync.WaitGroup
	for i, c := range l.connections {
		loops.Go(func() {
			if err := loop(ctx, i, c); err != nil {
				cancel(err)
			}
		})
	}
	loops.Wait()
	return context.Cause(ctx)
}

// closed keeps so many calls under way for a time: as many are asked as are
// answered.
func (l *load) closed(ctx context.Context, window int, over time.Duration) error {
	end := time.Now().Add(over)
	return l.each(ctx, func(ctx context.Context, i int, c *connection) error {
		mine, next := int64(window/connections), i
		for now := time.Now(); now.Before(end) && ctx.Err() == nil; now = time.Now() {
			for c.underWay.Load() < mine {
				l.record.offer(now, false)
				if sent, err := c.send(&l.messages[next%len(l.messages)], now); err != nil || !sent {
					return errors.Join(err, ctx.Err())
				}
				next += connections
			}
			if err := c.flush(); err != nil {
				return err
			}
			time.Sleep(step / 4)
		}
		return l.drained(c)
	})
}

// open offers so many calls a second for a time, at random moments that do not
// depend on the answers, and before, to warm up, calls that do not count.
func (l *load) open(ctx context.Context, rate float64, over time.Duration, begins func()) error {
	start := time.Now()
	l.record.since = start.Add(warm)
	over += warm
	counts := time.AfterFunc(warm, begins)
	defer counts.Stop()
	return l.each(ctx, func(ctx context.Context, i int, c *connection) error {
		random := rand.New(rand.NewPCG(1, uint64(i)))
		gap := func() time.Duration {
			return time.Duration(random.ExpFloat64() * float64(connections) / rate * float64(time.Second))
		}
		due, next := start.Add(gap()), i
		for due.Sub(start) < over && ctx.Err() == nil {
			now := time.Now()
		due:
			for !due.After(now) {
				switch {
				case l.heed != nil && !l.heed.lets(now):
					l.record.hold(due)
				case now.Sub(due) > patience:
					l.record.offer(due, true)
				default:
					sent, err := c.send(&l.messages[next%len(l.messages)], due)
					if err != nil {
						return err
					}
					if !sent {
						break due
					}
					next += connections
					l.record.offer(due, false)
				}
				due = due.Add(gap())
			}
			if err := c.flush(); err != nil {
				return err
			}
			time.Sleep(max(step, time.Until(due)))
		}
		return l.drained(c)
	})
}

// drained waits until everything is answered, for as long as callers would.
func (l *load) drained(c *connection) error {
	for end := time.Now().Add(patience); c.underWay.Load() > 0 && time.Now().Before(end); {
		if err := c.flush(); err != nil {
			return err
		}
		time.Sleep(step)
	}
	return nil
}
