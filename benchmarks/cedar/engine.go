package main

import (
	"context"
	"fmt"

	"github.com/cedar-policy/cedar-go"

	"github.com/verdictpdp/verdict/benchmarks/engines"
	"github.com/verdictpdp/verdict/benchmarks/scenario"
)

// An engine is cedar-go: a policy set that is parsed, over entities in memory.
type engine struct{}

// Name is "cedar".
func (engine) Name() string { return "cedar" }

// Open parses the policies, and makes Cedar's values of entities and requests.
// The entities that a request carries are made once for all that carry them.
func (engine) Open(_ context.Context, s scenario.Scenario, w *scenario.World) (engines.Point, error) {
	if w.Cedar == nil || s.Whole {
		return nil, nil
	}
	policies, err := cedar.NewPolicySetFromBytes("policy.cedar", w.Cedar.Policies)
	if err != nil {
		return nil, err
	}
	convert := newConverter(w.Cedar.Refs)
	directory, err := convert.entities(w.Entities)
	if err != nil {
		return nil, err
	}
	p := &point{policies: policies}
	sent := make(map[*scenario.Sent]cedar.EntityMap)
	for _, question := range w.Questions {
		entities := directory
		if question.Sent != nil {
			if sent[question.Sent] == nil {
				if sent[question.Sent], err = convert.entities(question.Sent.Entities); err != nil {
					return nil, err
				}
			}
			entities = sent[question.Sent]
		}
		p.requests = append(p.requests, request{entities, cedar.Request{
			Principal: uid(question.Request.Subject.Ref()),
			Action:    cedar.NewEntityUID("Action", cedar.String(question.Request.Action.Name)),
			Resource:  uid(question.Request.Resource.Ref()),
		}})
	}
	return p, nil
}

// A point authorizes requests.
type point struct {
	policies *cedar.PolicySet
	requests []request
}

type request struct {
	entities cedar.EntityMap
	cedar.Request
}

// Decide authorizes a request. A policy that fails is an error: none does.
func (p *point) Decide(i int) (bool, error) {
	r := &p.requests[i]
	decision, diagnostic := cedar.Authorize(p.policies, r.entities, r.Request)
	if len(diagnostic.Errors) > 0 {
		return false, fmt.Errorf("%s", diagnostic.Errors[0])
	}
	return decision == cedar.Allow, nil
}

// Answer is whether the request is allowed, and no more.
func (p *point) Answer(i int) (engines.Answer, error) {
	allowed, err := p.Decide(i)
	return engines.Answer{Allowed: allowed}, err
}
