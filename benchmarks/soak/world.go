package main

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"time"

	"github.com/verdictpdp/verdict/api/authz"
	"github.com/verdictpdp/verdict/benchmarks/engines"
	"github.com/verdictpdp/verdict/benchmarks/scenario"
	"github.com/verdictpdp/verdict/engine/directory"
	"github.com/verdictpdp/verdict/engine/eval/topdown"
)

// The tenants. The customers are flooded; the workforce is not to notice.
const (
	workforce = "workforce"
	customer  = "customer"
)

// users is about how many people a tenant has: enough to be more than the caches
// that the server is given.
const users = 5_000

// A world is what a tenant holds, and questions to which the answer is the same at
// all times of the soak.
type world struct {
	tenant    string
	changes   []authz.Change
	questions []scenario.Question
}

func newWorlds(ctx context.Context, during time.Duration) ([]*world, error) {
	var worlds []*world
	for _, s := range scenario.All(users) {
		if s.Name != workforce && s.Name != customer {
			continue
		}
		w, err := newWorld(ctx, s, during)
		if err != nil {
			return nil, fmt.Errorf("the world %s: %w", s.Name, err)
		}
		worlds = append(worlds, w)
	}
	return worlds, nil
}

func newWorld(ctx context.Context, s scenario.Scenario, during time.Duration) (*world, error) {
	made, err := s.World()
	if err != nil {
		return nil, err
	}
	w := &world{tenant: s.Name}
	for i := range made.Entities {
		w.changes = append(w.changes, authz.Change{PutEntity: &made.Entities[i]})
	}
	for i := range made.Grants {
		w.changes = append(w.changes, authz.Change{PutGrant: &made.Grants[i]})
	}
	w.questions, err = lasting(ctx, s, made, during)
	return w, err
}

// lasting are the questions whose answers do not change for as long as the soak
// takes, with those answers, by OPA's own evaluator.
func lasting(ctx context.Context, s scenario.Scenario, made *scenario.World, during time.Duration) ([]scenario.Question, error) {
	questions := slices.Clone(made.Questions)
	changes := make([]bool, len(questions))
	begin := time.Now()
	for at := begin; at.Before(begin.Add(during + 2*time.Hour)); at = at.Add(time.Hour) {
		made.Now = at
		point, err := engines.Of(topdown.New()).Open(ctx, s, made)
		if err != nil {
			return nil, err
		}
		for i := range questions {
			allowed, err := point.Decide(i)
			if err != nil {
				return nil, err
			}
			changes[i] = changes[i] || at != begin && allowed != questions[i].Allowed
			questions[i].Allowed = allowed
		}
	}
	var lasting []scenario.Question
	allowed := 0
	for i, question := range questions {
		if changes[i] {
			continue
		}
		lasting = append(lasting, question)
		if question.Allowed {
			allowed++
		}
	}
	if allowed < 100 || len(lasting)-allowed < 100 {
		return nil, fmt.Errorf("%d questions are allowed and %d denied: expected at least 100 of each", allowed, len(lasting)-allowed)
	}
	return lasting, nil
}

// question is one of the world's, at random.
func (w *world) question() scenario.Question {
	return w.questions[rand.IntN(len(w.questions))]
}

// fill puts the worlds into a store.
func fill(ctx context.Context, dir string, worlds []*world) (err error) {
	d, err := open(dir, worlds)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, d.Close()) }()
	for _, w := range worlds {
		for changes := range slices.Chunk(w.changes, 1_000) {
			if _, err := d.Write(ctx, w.tenant, authz.Batch{Changes: changes}); err != nil {
				return err
			}
		}
	}
	return nil
}

// open opens the directory of a store that no server has open.
func open(dir string, worlds []*world) (*directory.Directory, error) {
	var tenants []string
	for _, w := range worlds {
		tenants = append(tenants, w.tenant)
	}
	return directory.Open(directory.Options{Dir: dir, Tenants: tenants})
}
