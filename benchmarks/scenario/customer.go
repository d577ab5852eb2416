package scenario

import (
	"fmt"
	"maps"
	"math/rand/v2"

	"github.com/verdictpdp/verdict/api/authz"
)

// customers are people who have signed up for a service. Everything about one
// follows from their number, so that any two properties meet in some person.
type customers struct {
	builder
	random    *rand.Rand
	people    int
	children  int // child c has person c as guardian; a person of their own
	companies int
}

const (
	peoplePerCompany = 40 // of those who belong to one
	peoplePerMember  = 11 // one of so many people belongs to a company
	titles           = 500
)

// newCustomers makes about so many customers.
func newCustomers(users int) (*World, error) {
	b, err := shippedBundle("customer")
	if err != nil {
		return nil, err
	}
	c := &customers{random: newRandom(2)}
	c.people, c.children = users*95/100, users*5/100
	c.companies = max(2, c.people/peoplePerMember/peoplePerCompany)
	c.addOffer()
	for k := range c.companies {
		c.add(company(k), nil)
		c.add(person("admin", k), attributes{"name": fmt.Sprintf("Administrator %d", k), "state": "active"}, company(k))
		c.grant(fmt.Sprintf("admin-%04d", k), person("admin", k), "role:company_admin", company(k))
	}
	for i := range c.people {
		c.addPerson(i)
		c.addRecords(i)
	}
	for i := range c.children {
		born := "2015-06-15"
		if isOfAge(i) {
			born = "1998-04-12"
		}
		c.add(child(i), attributes{
			"name": fmt.Sprintf("Child %d", i), "state": "active", "birth_date": born, "guardians": []string{customer(i)},
		})
		c.add(childResult(i), attributes{"patient": child(i)})
	}
	questions, err := ask(c.random, c.templates()...)
	if err != nil {
		return nil, err
	}
	return &World{
		Tenant: "customer", Bundle: b, Entities: c.entities, Grants: c.grants, Now: now(), Questions: questions,
	}, nil
}

func customer(i int) string    { return fmt.Sprintf("user:c%07d", i) }
func child(i int) string       { return fmt.Sprintf("user:child-%06d", i) }
func company(k int) string     { return fmt.Sprintf("organization:o%05d", k) }
func viewer(i int) string      { return fmt.Sprintf("viewer:c%07d", i) }
func kidsViewer(i int) string  { return fmt.Sprintf("viewer:c%07d-kids", i) }
func ticket(i int) string      { return fmt.Sprintf("ticket:t%07d", i) }
func result(i int) string      { return fmt.Sprintf("lab_result:c%07d", i) }
func childResult(i int) string { return fmt.Sprintf("lab_result:child-%06d", i) }
func appointment(i int) string { return fmt.Sprintf("appointment:c%07d", i) }
func title(i int) string       { return fmt.Sprintf("title:t%03d", i) }

// addOffer adds what the service offers.
func (c *customers) addOffer() {
	c.add("region:eu", nil)
	c.add("region:us", nil)
	plan := func(id string, days, tier, devices int, api attributes) {
		a := attributes{"grace_days": days, "streaming": attributes{"tier": tier, "devices": devices}}
		if api != nil {
			a["api"] = api
		}
		c.add("plan:"+id, a)
	}
	plan("basic", 3, 1, 1, nil)
	plan("plus", 7, 2, 2, attributes{"requests_per_minute": 60, "requests_per_day": 1000})
	plan("pro", 14, 3, 4, attributes{"requests_per_minute": 600, "requests_per_day": 100000})
	c.add("role:company_admin", attributes{"permissions": []string{"user:read", "user:update", "user:suspend", "organization:invite"}})
	c.add("service:newsletter", attributes{"purpose": "marketing"})
	c.add("service:insights", attributes{"purpose": "analytics"})
	c.add("app:fitbuddy", nil)
	c.add("app:sleepwell", nil)
	c.add("api:orders", nil)
	for i := range titles {
		c.add(title(i), attributes{"name": fmt.Sprintf("Title %d", i), "tier": tier(i), "min_age": minAge(i)})
	}
}

func tier(title int) int   { return 1 + title%3 }
func minAge(title int) int { return title / 3 % 4 * 6 }

// addPerson adds a person with all that is known of them.
func (c *customers) addPerson(i int) {
	given := attributes{"given_at": at(year(2023))}
	withdrawn := attributes{"given_at": at(year(2023)), "withdrawn_at": at(year(2024))}
	analytics := given
	if i%2 == 1 {
		analytics = withdrawn
	}
	a := attributes{
		"name": fmt.Sprintf("Customer %d", i), "state": state(i), "timezone": "Europe/Lisbon",
		"consents": attributes{
			"marketing": given, "analytics": analytics,
			"sharing": attributes{"recipients": attributes{"app:fitbuddy": given, "app:sleepwell": withdrawn}},
		},
	}
	if plan := planOf(i); plan != "" {
		until := year(2095)
		if hasLapsed(i) {
			until = year(2024)
		}
		a["subscription"] = attributes{"plan": "plan:" + plan, "paid_until": at(until)}
	}
	var parents []string
	if region := regionOf(i); region != "" {
		parents = append(parents, "region:"+region)
	}
	if isMember(i) {
		parents = append(parents, company(c.companyOf(i)))
	}
	c.add(customer(i), a, parents...)
}

// addRecords adds what belongs to a person.
func (c *customers) addRecords(i int) {
	if hasViewers(i) {
		c.add(viewer(i), attributes{"account": customer(i), "kids": false})
		c.add(kidsViewer(i), attributes{"account": customer(i), "kids": true, "max_age": 7, "hours": attributes{"from": 0, "until": 24}})
	}
	if hasRecords(i) {
		var region []string
		if r := regionOf(i); r != "" {
			region = []string{"region:" + r}
		}
		c.add(ticket(i), attributes{"owner": customer(i), "title": "Invoice is wrong"}, region...)
		c.add(result(i), attributes{"patient": customer(i)})
		c.add(appointment(i), attributes{"patient": customer(i)})
	}
}

// planOf is a person's plan, or empty.
func planOf(i int) string { return [...]string{"basic", "plus", "pro", "basic", ""}[i%5] }

func planTier(i int) int { return map[string]int{"basic": 1, "plus": 2, "pro": 3}[planOf(i)] }

func planDevices(i int) int { return map[string]int{"basic": 1, "plus": 2, "pro": 4}[planOf(i)] }

// state is active for three people of four.
func state(i int) string {
	switch i / 5 % 12 {
	case 9:
		return "unverified"
	case 10:
		return "suspended"
	case 11:
		return "pending_deletion"
	default:
		return "active"
	}
}

func hasLapsed(i int) bool { return i%7 == 3 }

// regionOf is the region whose data a person's is, or empty.
func regionOf(i int) string { return [...]string{"eu", "us", ""}[i/7%3] }

func isMember(i int) bool { return i%peoplePerMember == 0 }

func (c *customers) companyOf(i int) int { return i / peoplePerMember % c.companies }

func hasViewers(i int) bool { return i%3 == 0 }

func hasRecords(i int) bool { return i%4 == 1 }

func isOfAge(child int) bool { return child%2 == 1 }

// served is the context of a request that is served where a person's data is,
// with what else it says.
func served(i int, more authz.Object) authz.Object {
	context := authz.Object{}
	if region := regionOf(i); region != "" {
		context["region"] = region
	}
	maps.Copy(context, more)
	return context
}
