package scenario

import (
	"bytes"
	"fmt"
	"path"
	"testing/fstest"
	"text/template"

	"github.com/verdictpdp/verdict/policy/bundle"
)

// A rule is what an action on a type takes.
type rule struct {
	Type, Action string
	Level        int
}

const (
	actionsPerType = 10
	ruleLevel      = 5
	ruleUsers      = 2_000 // of levels 0 to 9, by number
)

// newRules makes a world with so many rules, each about another action or type.
func newRules(count int) (*World, error) {
	b, err := rulesBundle(count)
	if err != nil {
		return nil, err
	}
	random := newRandom(8)
	var directory builder
	for u := range ruleUsers {
		directory.add(member(u), attributes{"level": u % 10})
	}
	user := func(enough bool) string {
		return member(where(random, ruleUsers, func(u int) bool { return (u%10 >= ruleLevel) == enough }))
	}
	resource := func(r rule) string { return fmt.Sprintf("%s:x%06d", r.Type, random.IntN(1_000_000)) }
	allowed := func() Question {
		r := ruleOf(random.IntN(count))
		return yes("rules", user(true), r.Action, resource(r), nil)
	}
	questions, err := ask(random,
		allowed,
		func() Question {
			r := ruleOf(random.IntN(count))
			return no("rules", user(false), r.Action, resource(r), nil)
		},
		allowed,
		func() Question { // an action of no rule
			r := ruleOf(random.IntN(count))
			return no("rules", user(true), "ponder", resource(r), nil)
		},
	)
	return &World{Tenant: "rules", Bundle: b, Entities: directory.entities, Now: now(), Questions: questions}, err
}

func ruleOf(i int) rule {
	return rule{
		Type: fmt.Sprintf("type-%04d", i/actionsPerType), Action: fmt.Sprintf("action-%d", i%actionsPerType), Level: ruleLevel,
	}
}

// rulesBundle is a policy of so many rules.
func rulesBundle(count int) (*bundle.Bundle, error) {
	layout, err := template.ParseFS(policies, path.Join("policies", "rules", "authz.rego.tmpl"))
	if err != nil {
		return nil, err
	}
	rules := make([]rule, count)
	for i := range rules {
		rules[i] = ruleOf(i)
	}
	var text bytes.Buffer
	if err := layout.Execute(&text, rules); err != nil {
		return nil, err
	}
	return bundle.ReadFS(fstest.MapFS{"rules/authz.rego": {Data: text.Bytes()}}, "rules")
}
