package scenario

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"time"

	"github.com/verdictpdp/verdict/api/authz"
	"github.com/verdictpdp/verdict/policy/bundle"
)

// Questions is how many different requests a scenario cycles over.
const Questions = 1_000

// Users is how many people the directories of the shipped bundles hold, unless
// another number is asked for.
const Users = 100_000

// A Scenario is a row of the table.
type Scenario struct {
	// Name is lower case, without spaces and slashes.
	Name string
	// What says in a few words what is decided.
	What string
	// Whole measures all that lies between a request and its decision. The
	// evaluation alone is measured otherwise.
	Whole bool
	// Input says that the entities are in the request, not in the directory.
	Input bool
	// Large says that another scenario is the same with less of everything.
	Large bool
	// Beside names the smaller scenario that this one is to be seen beside.
	Beside string
	// World makes the scenario's world, always the same.
	World func() (*World, error)
}

// A World is a policy, what it decides about, and questions.
type World struct {
	Tenant string
	Bundle *bundle.Bundle
	// Entities and Grants are what the directory holds.
	Entities []authz.Entity
	Grants   []authz.Grant
	// Now is the time of every decision.
	Now time.Time
	// Questions are all different. The first is allowed, about half of them are.
	Questions []Question
	// Cedar is the same policy for Cedar; nil where there is none.
	Cedar *Cedar
}

// Requests are those of the questions.
func (w *World) Requests() []*authz.Request {
	requests := make([]*authz.Request, len(w.Questions))
	for i, question := range w.Questions {
		requests[i] = question.Request
	}
	return requests
}

// A Question is a request and the answer to expect.
type Question struct {
	Request *authz.Request
	Allowed bool
	// Sent are the entities that the request carries in its context; nil where
	// they are in the directory.
	Sent *Sent
}

// Sent are entities that requests carry. The requests share one context, which
// every engine has converted beforehand.
type Sent struct {
	Name     string // unique in the world
	Entities []authz.Entity
}

// A Cedar is a policy for Cedar.
type Cedar struct {
	Policies []byte
	// Refs are the attributes that hold refs of entities, one or a list.
	Refs []string
}

// All are the scenarios, those of the shipped bundles with directories of about
// so many users.
func All(users int) []Scenario {
	all := slices.Concat(
		shipped("workforce", "the workforce bundle", users, newWorkforce),
		shipped("customer", "the customer bundle", users, newCustomers),
		shipped("hybrid", "the hybrid bundle", users, newHybrid),
		[]Scenario{
			{Name: "roles-1000", What: "a role of a thousand permits the action", World: newRoles},
			{Name: "departments-ancestors", What: "a department is up to twenty levels above, by the directory", World: newDepartmentsInDirectory},
			{Name: "departments-reachable", What: "the same, by graph.reachable over the bundle's data", World: newDepartmentsInData},
			{Name: "membership-1000", What: "some guest of a thousand is the subject, the last one", World: newMembership},
			{Name: "functions", What: "functions and comprehensions over eight items", World: newFunctions},
			{Name: "rules-1", What: "one rule", World: func() (*World, error) { return newRules(1) }},
			{Name: "rules-500", What: "500 rules", Beside: "rules-1", World: func() (*World, error) { return newRules(500) }},
			{Name: "rules-5000", What: "5,000 rules", Beside: "rules-1", Large: true, World: func() (*World, error) { return newRules(5_000) }},
		},
	)
	for _, w := range workloads() {
		all = append(all, w.scenarios()...)
	}
	return all
}

// shipped are the rows of a bundle that comes with Verdict.
func shipped(name, what string, users int, world func(users int) (*World, error)) []Scenario {
	make := func() (*World, error) { return world(users) }
	return []Scenario{
		{Name: name, What: fmt.Sprintf("%s, %d users", what, users), World: make},
		{Name: name + "-decide", What: "the same, from request to decision", Whole: true, World: make},
	}
}

// An Activation is a bundle of which is measured how long it takes to get ready.
type Activation struct {
	Name   string
	What   string
	Bundle func() (*bundle.Bundle, error)
}

// Activations are the bundles.
func Activations() []Activation {
	return []Activation{
		{"activation-workforce", "the workforce bundle becomes ready", func() (*bundle.Bundle, error) { return shippedBundle("workforce") }},
		{"activation-rules-5000", "5,000 rules become ready", func() (*bundle.Bundle, error) { return rulesBundle(5_000) }},
	}
}

// ask makes questions by asking each of the templates in turn, until there are
// enough that differ. All but the first are in random order.
func ask(random *rand.Rand, templates ...func() Question) ([]Question, error) {
	const patience = 100 // repetitions for each question to be had
	seen := make(map[string]bool, Questions)
	var questions []Question
	for turn := 0; len(questions) < Questions; turn++ {
		if turn > patience*Questions {
			return nil, fmt.Errorf("the world is too small for %d different questions: %d were found", Questions, len(questions))
		}
		question := templates[turn%len(templates)]()
		if key := question.key(); !seen[key] {
			seen[key] = true
			questions = append(questions, question)
		}
	}
	rest := questions[1:]
	random.Shuffle(len(rest), func(i, j int) { rest[i], rest[j] = rest[j], rest[i] })
	return questions, nil
}

// key tells questions apart.
func (q Question) key() string {
	if q.Sent != nil { // its name stands for the context
		return fmt.Sprint(q.Sent.Name, q.Request.Subject, q.Request.Action, q.Request.Resource)
	}
	return fmt.Sprint(*q.Request)
}

// yes and no are questions with the answer to expect.
func yes(tenant, subject, action, resource string, context authz.Object) Question {
	return Question{Request: request(tenant, subject, action, resource, context), Allowed: true}
}

func no(tenant, subject, action, resource string, context authz.Object) Question {
	return Question{Request: request(tenant, subject, action, resource, context)}
}

func request(tenant, subject, action, resource string, context authz.Object) *authz.Request {
	who, what := ref(subject), ref(resource)
	return &authz.Request{
		Tenant:   tenant,
		Subject:  authz.Subject{Type: who.Type, ID: who.ID},
		Action:   authz.Action{Name: action},
		Resource: authz.Resource{Type: what.Type, ID: what.ID},
		Context:  context,
	}
}
