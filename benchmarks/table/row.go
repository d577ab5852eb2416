package table

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"time"

	"github.com/verdictpdp/verdict/benchmarks/engines"
	"github.com/verdictpdp/verdict/benchmarks/scenario"
)

// A Row is a scenario with engines that are ready for it.
type Row struct {
	scenario  scenario.Scenario
	questions []scenario.Question
	points    []engines.Point // nil for an engine that cannot
	names     []string
}

// Open readies every engine for the world of a scenario.
func Open(ctx context.Context, s scenario.Scenario, w *scenario.World, all []engines.Engine) (*Row, error) {
	r := &Row{scenario: s, questions: w.Questions}
	for _, engine := range all {
		point, err := engine.Open(ctx, s, w)
		if err != nil {
			return nil, fmt.Errorf("%s: %s: %w", s.Name, engine.Name(), err)
		}
		r.points = append(r.points, point)
		r.names = append(r.names, engine.Name())
	}
	return r, nil
}

// warm asks every engine its questions for a while.
func (r *Row) warm(during time.Duration) error {
	for i, point := range r.points {
		if point == nil {
			continue
		}
		if err := engines.Warm(point, len(r.questions), during); err != nil {
			return fmt.Errorf("%s: %s: %w", r.scenario.Name, r.names[i], err)
		}
	}
	return nil
}

// Agree asks every engine every question. The error names the first that is not
// answered as it must be.
func (r *Row) Agree() error {
	for i, question := range r.questions {
		var first engines.Answer // with details
		var firstName string
		for k, point := range r.points {
			if point == nil {
				continue
			}
			answer, err := point.Answer(i)
			if err != nil {
				return r.wrong(i, "%s: %v", r.names[k], err)
			}
			if answer.Allowed != question.Allowed {
				return r.wrong(i, "%s answers allowed=%t, and the world was made for %t", r.names[k], answer.Allowed, question.Allowed)
			}
			switch {
			case answer.Details == nil:
			case first.Details == nil:
				first, firstName = answer, r.names[k]
			case !bytes.Equal(first.Details, answer.Details):
				return r.wrong(i, "%s answers %s, and %s %s", firstName, first.Details, r.names[k], answer.Details)
			}
		}
	}
	return nil
}

// wrong is the error of question i.
func (r *Row) wrong(i int, format string, args ...any) error {
	request := *r.questions[i].Request
	if r.questions[i].Sent != nil {
		request.Context = nil // all entities of a world
	}
	text, err := json.Marshal(request)
	if err != nil {
		return err
	}
	return fmt.Errorf("%s: question %d, %s: %s", r.scenario.Name, i, text, fmt.Sprintf(format, args...))
}

// A pattern is which questions are asked, one after another.
type pattern string

const (
	one     pattern = "one"     // the first question, again and again
	cycling pattern = "cycling" // each question in turn
)

func patterns() []pattern { return []pattern{one, cycling} }

// measure lets the engines take turns on a pattern.
func (r *Row) measure(m *meter, p pattern, rounds int, turn time.Duration) (line, error) {
	questions := 1
	if p == cycling {
		questions = len(r.questions)
	}
	engines := make([]func(int) error, len(r.points))
	for k, point := range r.points {
		if point == nil {
			continue
		}
		engines[k] = func(i int) error {
			_, err := point.Decide(i)
			return err
		}
	}
	costs, err := compare(m, engines, questions, rounds, turn)
	return newLine(r.scenario, p, costs), err
}

// A line is what the engines took for one pattern of a row.
type line struct {
	scenario scenario.Scenario
	pattern  pattern
	costs    []*cost    // by engine; nil where it cannot
	ratios   []*float64 // of an engine's time to the last one's; nil where either cannot
}

// name is the row's with the pattern's.
func (l line) name() string { return l.scenario.Name + " " + string(l.pattern) }

// newLine is the line of what the engines took in each round.
func newLine(s scenario.Scenario, p pattern, costs [][]cost) line {
	l := line{s, p, make([]*cost, len(costs)), make([]*float64, len(costs))}
	for k, rounds := range costs {
		if rounds == nil {
			continue
		}
		c := middle(rounds)
		l.costs[k] = &c
		last := costs[len(costs)-1]
		if last == nil {
			continue
		}
		ratios := make([]float64, len(rounds))
		for i := range rounds {
			ratios[i] = rounds[i].time / last[i].time
		}
		ratio := median(ratios)
		l.ratios[k] = &ratio
	}
	return l
}
