package scenario

import (
	"fmt"
	"math/rand/v2"

	"github.com/verdictpdp/verdict/api/authz"
)

const (
	approvers   = 1_000
	itemsPerUse = 8
)

// newFunctions makes a world of people who approve expenses.
func newFunctions() (*World, error) {
	b, err := policy("functions")
	if err != nil {
		return nil, err
	}
	random := newRandom(7)
	var directory builder
	limits := make([]map[string]int, approvers)
	for u := range limits {
		limits[u] = map[string]int{"any": 50}
		for _, category := range categories() {
			limits[u][category] = 100 * (1 + random.IntN(9))
		}
		var listed []attributes
		for _, category := range append(categories(), "any") {
			listed = append(listed, attributes{"category": category, "amount": limits[u][category]})
		}
		directory.add(member(u), attributes{"limits": listed})
	}
	question := func(allowed bool) Question {
		u := random.IntN(approvers)
		e := newExpenses(random, limits[u])
		if !allowed {
			e.spoil(random, u)
		}
		q := yes("expenses", member(u), "approve", fmt.Sprintf("expenses:x%06d", random.IntN(1_000_000)), authz.Object{"items": e.items})
		q.Allowed = allowed
		return q
	}
	questions, err := ask(random, func() Question { return question(true) }, func() Question { return question(false) })
	return &World{Tenant: "expenses", Bundle: b, Entities: directory.entities, Now: now(), Questions: questions}, err
}

func categories() []string { return []string{"travel", "meals", "books", "tools"} }

// expenses are the items of a request.
type expenses struct{ items []any }

// newExpenses makes two items of each category, which together are within its
// limit.
func newExpenses(random *rand.Rand, limits map[string]int) *expenses {
	e := &expenses{}
	for i := range itemsPerUse {
		category := categories()[i%len(categories())]
		half := limits[category] / 2
		quantity := 1 + random.IntN(5)
		item := authz.Object{
			"category": typed(random, category), "price": random.IntN(half/quantity) + 1, "quantity": quantity,
			"paid_to": fmt.Sprintf("supplier:s%03d", random.IntN(1_000)),
		}
		if random.IntN(2) == 0 {
			item["discount"] = random.IntN(5)
		}
		e.items = append(e.items, item)
	}
	return e
}

// typed is a category as somebody types it.
func typed(random *rand.Rand, category string) string {
	switch random.IntN(3) {
	case 0:
		return "  " + category
	case 1:
		return string(category[0]-'a'+'A') + category[1:]
	default:
		return category
	}
}

// spoil makes the expenses too high in one category, or some of them paid to
// who approves them.
func (e *expenses) spoil(random *rand.Rand, approver int) {
	item := e.items[random.IntN(len(e.items))].(authz.Object)
	if random.IntN(4) == 0 {
		item["paid_to"] = member(approver)
		return
	}
	item["price"] = 1_000
}
