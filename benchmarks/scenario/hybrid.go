package scenario

import (
	"fmt"
	"math/rand/v2"

	"github.com/verdictpdp/verdict/api/authz"
)

// A hybrid is a directory of customers and of the workforce that serves them,
// every tenth user.
type hybrid struct {
	builder
	random      *rand.Rand
	customers   int
	staff       int // agent or other by number, of department staff mod departments
	departments int
	tickets     int // of customer ticket mod customers, assigned to an agent
}

const runbooksPerDepartment = 20

// newHybrid makes a directory of about so many users.
func newHybrid(users int) (*World, error) {
	b, err := shippedBundle("hybrid")
	if err != nil {
		return nil, err
	}
	h := &hybrid{random: newRandom(3)}
	h.staff, h.customers = users/10, users*9/10
	h.departments = max(2, h.staff/50)
	h.tickets = h.customers / 2
	h.addWorkforce()
	h.addCustomers()
	questions, err := ask(h.random, h.templates()...)
	if err != nil {
		return nil, err
	}
	return &World{
		Tenant: "hybrid", Bundle: b, Entities: h.entities, Grants: h.grants, Now: now(), Questions: questions,
	}, nil
}

const northwind = "organization:northwind"

func colleague(i int) string      { return fmt.Sprintf("user:s%05d", i) }
func client(i int) string         { return fmt.Sprintf("customer:c%06d", i) }
func clientRecord(i int) string   { return fmt.Sprintf("customer_record:c%06d", i) }
func supportTicket(i int) string  { return fmt.Sprintf("ticket:t%06d", i) }
func runbook(d, i int) string     { return fmt.Sprintf("runbook:d%04d-%02d", d, i) }
func employeeRecord(i int) string { return fmt.Sprintf("employee_record:s%05d", i) }

// addWorkforce adds departments, of which every second one is of support, with
// their people and runbooks.
func (h *hybrid) addWorkforce() {
	h.add(northwind, nil)
	h.add("register:customers", nil)
	h.add("role:employee", attributes{"permissions": []string{"runbook:read"}})
	h.add("role:support_agent", attributes{"permissions": []string{"customer_record:read"}})
	h.grant("all-staff", northwind, "role:employee", northwind)
	for d := range h.departments {
		h.add(department(d), nil, northwind)
		for i := range runbooksPerDepartment {
			h.add(runbook(d, i), nil, department(d))
		}
		if d%2 == 0 {
			h.grant(fmt.Sprintf("support-d%04d", d), department(d), "role:support_agent", "register:customers")
		}
	}
	for i := range h.staff {
		h.add(colleague(i), attributes{"name": fmt.Sprintf("Colleague %d", i)}, department(i%h.departments))
		h.add(employeeRecord(i), nil, department(i%h.departments))
		if !h.isAgent(i) {
			h.grantFor(fmt.Sprintf("helped-out-%05d", i), colleague(i), "role:support_agent", "register:customers", year(2022), year(2023))
		}
	}
}

// isAgent says who works in support.
func (h *hybrid) isAgent(i int) bool { return i%h.departments%2 == 0 }

// addCustomers adds customers with a record each, and tickets.
func (h *hybrid) addCustomers() {
	for i := range h.customers {
		consent := attributes{"given_at": at(year(2023))}
		if !consents(i) {
			consent["withdrawn_at"] = at(year(2024))
		}
		h.add(client(i), attributes{"name": fmt.Sprintf("Customer %d", i), "consents": attributes{"support": consent}})
		h.add(clientRecord(i), attributes{"customer": client(i)}, "register:customers")
	}
	for i := range h.tickets {
		state := "open"
		if isClosed(i) {
			state = "closed"
		}
		h.add(supportTicket(i), attributes{
			"customer": client(h.customerOf(i)), "assignee": colleague(h.assignee(i)), "state": state,
		})
	}
}

// consents says of four customers of five that they consent to support.
func consents(i int) bool { return i%5 != 0 }

func isClosed(ticket int) bool { return ticket/7%4 == 0 }

func (h *hybrid) customerOf(ticket int) int { return ticket * 3 % h.customers }

func (h *hybrid) assignee(ticket int) int { return ticket % h.staff }

// templates ask what the sample requests of the hybrid bundle ask, about
// anybody whom they fit. H1 and H2 are those of its README.
func (h *hybrid) templates() []func() Question {
	yes := func(subject, action, resource string, context authz.Object) Question {
		return yes("hybrid", subject, action, resource, context)
	}
	no := func(subject, action, resource string, context authz.Object) Question {
		return no("hybrid", subject, action, resource, context)
	}
	agents := func(t int) bool { return h.isAgent(h.assignee(t)) }
	consented := func(t int) bool { return consents(h.customerOf(t)) }
	ticket := func(holds ...func(t int) bool) int { return where(h.random, h.tickets, holds...) }
	about := func(t int) authz.Object { return authz.Object{"ticket": supportTicket(t)} }
	helps := func() Question {
		t := ticket(agents, consented, not(isClosed))
		return yes(colleague(h.assignee(t)), "read", clientRecord(h.customerOf(t)), about(t))
	}
	readsOwn := func() Question {
		i := h.random.IntN(h.customers)
		return yes(client(i), "read", clientRecord(i), nil)
	}
	readsRunbook := func() Question {
		return yes(colleague(h.random.IntN(h.staff)), "read", h.runbook(), nil)
	}
	claims := func(q Question) Question {
		q.Request.Subject.Properties = authz.Object{"role": "admin"}
		return q
	}
	return []func() Question{
		helps, // H1
		func() Question { // without naming the ticket
			t := ticket(agents, consented)
			return no(colleague(h.assignee(t)), "read", clientRecord(h.customerOf(t)), nil)
		},
		helps,
		func() Question {
			t := ticket(agents, consented, isClosed)
			return no(colleague(h.assignee(t)), "read", clientRecord(h.customerOf(t)), about(t))
		},
		helps,
		func() Question { // a ticket of another customer
			t := ticket(agents, not(isClosed))
			j := other(h.random, h.customers, h.customerOf(t))
			return no(colleague(h.assignee(t)), "read", clientRecord(j), about(t))
		},
		readsOwn, // H2
		func() Question { // H1: a ticket of another agent
			t := ticket(agents, consented, not(isClosed))
			j := other(h.random, h.staff, h.assignee(t))
			return no(colleague(j), "read", clientRecord(h.customerOf(t)), about(t))
		},
		readsOwn,
		func() Question { // the consent was withdrawn
			t := ticket(agents, not(consented), not(isClosed))
			return no(colleague(h.assignee(t)), "read", clientRecord(h.customerOf(t)), about(t))
		},
		readsRunbook,
		func() Question { // the role has ended
			t := ticket(not(agents), consented, not(isClosed))
			return no(colleague(h.assignee(t)), "read", clientRecord(h.customerOf(t)), about(t))
		},
		readsRunbook,
		func() Question { // H2
			i := h.random.IntN(h.customers)
			return claims(no(client(i), "read", clientRecord(other(h.random, h.customers, i)), nil))
		},
		readsOwn,
		func() Question {
			return claims(no(client(h.random.IntN(h.customers)), "read", h.runbook(), nil))
		},
		readsRunbook,
		func() Question {
			return no(client(h.random.IntN(h.customers)), "read", employeeRecord(h.random.IntN(h.staff)), nil)
		},
	}
}

func (h *hybrid) runbook() string {
	return runbook(h.random.IntN(h.departments), h.random.IntN(runbooksPerDepartment))
}
