package scenario

import "github.com/verdictpdp/verdict/api/authz"

// templates ask what the sample requests of the customer bundle ask, about
// anybody whom they fit. The numbers C1 to C10 and H2 are those of its README.
func (c *customers) templates() []func() Question {
	yes := func(subject, action, resource string, context authz.Object) Question {
		return yes("customer", subject, action, resource, context)
	}
	no := func(subject, action, resource string, context authz.Object) Question {
		return no("customer", subject, action, resource, context)
	}
	is := func(want string) func(int) bool { return func(i int) bool { return state(i) == want } }
	active := is("active")
	paid := func(i int) bool { return planOf(i) != "" && !hasLapsed(i) }
	hasAPI := func(i int) bool { return planTier(i) > 1 }
	own := func(action string, i int, more authz.Object) Question {
		return yes(customer(i), action, customer(i), served(i, more))
	}
	notOwn := func(action string, i int, more authz.Object) Question {
		return no(customer(i), action, customer(i), served(i, more))
	}
	return []func() Question{
		func() Question { // C1
			return own("read", c.where(active), nil)
		},
		func() Question {
			return own("update", c.where(active), nil)
		},
		func() Question {
			i := c.where(active)
			j := other(c.random, c.people, i)
			return no(customer(i), "read", customer(j), served(j, nil))
		},
		func() Question { // C2
			return yes(customer(c.where(active, paid, hasAPI)), "call", "api:orders", nil)
		},
		func() Question {
			return no(customer(c.where(active, paid, not(hasAPI))), "call", "api:orders", nil)
		},
		func() Question {
			return no(customer(c.where(active, hasAPI, hasLapsed)), "call", "api:orders", nil)
		},
		func() Question { // C3
			return own("file_ticket", c.where(active, paid), nil)
		},
		func() Question {
			return notOwn("file_ticket", c.where(active, not(paid)), nil)
		},
		func() Question {
			i := c.where(active, hasRecords)
			return yes(customer(i), "read", ticket(i), served(i, nil))
		},
		func() Question {
			i, j := c.where(active, not(hasRecords)), c.where(hasRecords)
			return no(customer(i), "read", ticket(j), served(j, nil))
		},
		func() Question { // C4
			i := c.where(active)
			return yes("service:newsletter", "process", customer(i), served(i, nil))
		},
		func() Question {
			i := c.where(active, func(i int) bool { return i%2 == 1 })
			return no("service:insights", "process", customer(i), served(i, nil))
		},
		func() Question {
			i := c.where(active)
			return yes("app:fitbuddy", "process", customer(i), served(i, nil))
		},
		func() Question {
			i := c.where(active)
			return no("app:sleepwell", "process", customer(i), served(i, nil))
		},
		func() Question { // C5
			i := c.where(active, func(i int) bool { return regionOf(i) != "" })
			return notOwn("read", i, authz.Object{"region": "asia"})
		},
		func() Question { // C6
			return own("export", c.where(is("pending_deletion")), nil)
		},
		func() Question {
			return own("cancel_deletion", c.where(is("pending_deletion")), nil)
		},
		func() Question {
			return no(customer(c.where(is("pending_deletion"), paid, hasAPI)), "call", "api:orders", nil)
		},
		func() Question {
			return own("appeal", c.where(is("suspended")), nil)
		},
		func() Question {
			return notOwn("update", c.where(is("suspended")), nil)
		},
		func() Question {
			return own("verify", c.where(is("unverified")), nil)
		},
		func() Question {
			return notOwn("file_ticket", c.where(is("unverified"), paid), nil)
		},
		func() Question { // C7
			i := c.where(active, hasRecords)
			return yes(customer(i), "read", result(i), nil)
		},
		func() Question {
			i := c.guardian(false)
			return yes(customer(i), "read", childResult(i), nil)
		},
		func() Question {
			i := c.guardian(true)
			return no(customer(i), "read", childResult(i), nil)
		},
		func() Question {
			i, j := c.where(active, not(hasRecords)), c.where(hasRecords)
			return no(customer(i), "cancel", appointment(j), nil)
		},
		func() Question { // C8
			i := c.where(active, paid, hasViewers)
			t := c.title(func(t int) bool { return tier(t) <= planTier(i) })
			return yes(viewer(i), "stream", title(t), authz.Object{"active_devices": c.random.IntN(planDevices(i))})
		},
		func() Question {
			i := c.where(active, paid, hasViewers, func(i int) bool { return planTier(i) < 3 })
			t := c.title(func(t int) bool { return tier(t) > planTier(i) })
			return no(viewer(i), "stream", title(t), authz.Object{"active_devices": 0})
		},
		func() Question {
			i := c.where(active, paid, hasViewers)
			t := c.title(func(t int) bool { return tier(t) <= planTier(i) })
			return no(viewer(i), "stream", title(t), authz.Object{"active_devices": planDevices(i)})
		},
		func() Question {
			i := c.where(active, paid, hasViewers)
			t := c.title(func(t int) bool { return tier(t) <= planTier(i) && minAge(t) <= 7 })
			return yes(kidsViewer(i), "stream", title(t), authz.Object{"active_devices": 0})
		},
		func() Question {
			i := c.where(active, paid, hasViewers)
			t := c.title(func(t int) bool { return tier(t) <= planTier(i) && minAge(t) > 7 })
			return no(kidsViewer(i), "stream", title(t), authz.Object{"active_devices": 0})
		},
		func() Question { // C9
			i := c.where(isMember)
			return yes(person("admin", c.companyOf(i)), "suspend", customer(i), served(i, nil))
		},
		func() Question {
			i := c.where(isMember)
			return no(person("admin", other(c.random, c.companies, c.companyOf(i))), "suspend", customer(i), served(i, nil))
		},
		func() Question { // C10
			return own("export", c.where(active), authz.Object{"risk": 12})
		},
		func() Question {
			return notOwn("export", c.where(active), authz.Object{"risk": 75})
		},
		func() Question {
			return own("export", c.where(active), authz.Object{"risk": 75, "mfa": true})
		},
		func() Question {
			return notOwn("export", c.where(active), authz.Object{"risk": 95, "mfa": true})
		},
		func() Question { // H2
			i := c.where(active)
			j := other(c.random, c.people, i)
			q := no(customer(i), "read", customer(j), served(j, nil))
			q.Request.Subject.Properties = authz.Object{"role": "admin", "roles": []any{"company_admin"}}
			return q
		},
	}
}

// where is a person of whom all holds.
func (c *customers) where(holds ...func(i int) bool) int { return where(c.random, c.people, holds...) }

// guardian is an active person whose child is of age, or not.
func (c *customers) guardian(ofAge bool) int {
	return where(c.random, c.children, func(i int) bool { return state(i) == "active" && isOfAge(i) == ofAge })
}

func (c *customers) title(holds func(t int) bool) int { return where(c.random, titles, holds) }

func not(holds func(i int) bool) func(i int) bool { return func(i int) bool { return !holds(i) } }
