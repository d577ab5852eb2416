package scenario

// lists are shared lists: one is its owner's, and open to teams and users who
// read it or edit it; an item may be assigned to anybody.
func lists() workload {
	return workload{
		name: "lists", what: "shared lists",
		refs: []string{"owner", "readers", "editors", "list", "assignee"},
		populate: func(c *community) {
			c.tree("team")
			for i := range c.size {
				c.put(c.ref("user", i), nil, c.some("team")...)
				c.put(c.ref("list", i), attributes{
					"owner": c.any("user"), "readers": append(c.some("team"), c.any("user")), "editors": c.some("team"),
				})
				c.put(c.ref("item", i), attributes{"list": c.any("list"), "assignee": c.any("user")})
			}
		},
		draw: func(c *community) (subject, action, resource string) {
			if c.chance(25) {
				item := c.any("item")
				if c.chance(20) {
					return c.text(item, "assignee"), "check", item
				}
				return c.any("user"), "check", item
			}
			list := c.any("list")
			user := c.any("user")
			if c.chance(20) {
				user = c.text(list, "owner")
			}
			return user, []string{"read", "add", "rename", "delete"}[c.random.IntN(4)], list
		},
		allows: mayUseList,
	}
}

func mayUseList(c *community, user, action, resource string) bool {
	list := resource
	if action == "check" {
		list = c.text(resource, "list")
		if c.text(resource, "assignee") == user {
			return true
		}
	}
	owns := c.text(list, "owner") == user
	edits := c.isWithin(user, c.refs(list, "editors")...)
	switch action {
	case "delete":
		return owns
	case "read":
		return owns || edits || c.isWithin(user, c.refs(list, "readers")...)
	default: // add, rename, check
		return owns || edits
	}
}
