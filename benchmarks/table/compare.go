package table

import "time"

// A player is an engine that takes turns: it answers the questions from the
// first to the last, and again.
type player struct {
	engine    int // its place in the table
	answer    func(question int) error
	questions int

	next     int // the question that comes next
	count    int // decisions in a turn
	expected cost
}

// compare lets engines take turns of about a time, another one first in each
// round, and yields what each took in each round. An engine that is nil takes
// none. A turn asks all questions equally often, so that all engines are asked
// the same however fast they are.
func compare(m *meter, engines []func(question int) error, questions, rounds int, turn time.Duration) ([][]cost, error) {
	var players []*player
	for k, answer := range engines {
		if answer == nil {
			continue
		}
		p := &player{engine: k, answer: answer, questions: questions}
		if err := p.practise(m, turn); err != nil {
			return nil, err
		}
		players = append(players, p)
	}
	costs := make([][]cost, len(engines))
	for round := range rounds {
		for i := range players {
			p := players[(i+round)%len(players)]
			c, err := p.take(m, p.count)
			if err != nil {
				return nil, err
			}
			costs[p.engine] = append(costs[p.engine], c)
		}
	}
	return costs, nil
}

// practise finds how many decisions make a turn.
func (p *player) practise(m *meter, turn time.Duration) error {
	const first = 10 // enough to see roughly what one allocates
	var err error
	if p.expected, err = p.take(m, min(first, p.questions)); err != nil {
		return err
	}
	if p.expected, err = p.take(m, p.questions); err != nil {
		return err
	}
	cycles := int(float64(turn) / max(1, p.expected.time) / float64(p.questions))
	p.count = max(1, cycles) * p.questions
	p.next = 0
	return nil
}

func (p *player) take(m *meter, decisions int) (cost, error) {
	return m.turn(decisions, p.expected, func() error {
		question := p.next
		if p.next++; p.next == p.questions {
			p.next = 0
		}
		return p.answer(question)
	})
}
