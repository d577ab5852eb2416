package table

import "time"

// A player is an engine that takes turns: it answers the questions from the
// first to the last, and again.
type player struct {
	answer    func(question int) error
	questions int

	next     int // the question that comes next
	count    int // decisions in a turn
	expected cost
	costs    []cost // of the rounds
}

// compare lets engines take turns of about a time, in another order each
// round, and yields what each took in each round. An engine that is nil takes
// none. A turn asks all questions equally often, so that all engines are asked
// the same however fast they are.
func compare(m *meter, engines []func(question int) error, questions, rounds int, turn time.Duration) ([][]cost, error) {
	players := make([]*player, len(engines))
	for k, answer := range engines {
		if answer == nil {
			continue
		}
		players[k] = &player{answer: answer, questions: questions}
		if err := players[k].practise(m, turn); err != nil {
			return nil, err
		}
	}
	for round := range rounds {
		for i := range players {
			p := players[(i+round)%len(players)]
			if p == nil {
				continue
			}
			c, err := p.take(m, p.count)
			if err != nil {
				return nil, err
			}
			p.costs = append(p.costs, c)
		}
	}
	all := make([][]cost, len(players))
	for k, p := range players {
		if p != nil {
			all[k] = p.costs
		}
	}
	return all, nil
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
