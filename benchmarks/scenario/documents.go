package scenario

import "slices"

// documents are documents in folders, with groups: a document is open to its
// owner, to two groups, and to those whom it, or a folder that it is in, was
// shared with.
func documents() workload {
	return workload{
		name: "documents", what: "documents in folders, with groups",
		refs: []string{"shared", "owner", "viewers", "editors"},
		populate: func(c *community) {
			c.tree("group")
			c.tree("folder")
			for i := range c.size {
				shared := c.some("folder")
				shared[0] = c.any("document")
				c.put(c.ref("user", i), attributes{"shared": shared, "suspended": c.chance(5)}, c.some("group")...)
			}
			for i := range c.size {
				c.put(c.ref("document", i), attributes{
					"owner": c.any("user"), "viewers": c.any("group"), "editors": c.any("group"),
					"public": c.chance(5), "locked": c.chance(20),
				}, c.any("folder"))
			}
		},
		draw: func(c *community) (subject, action, resource string) {
			document := c.any("document")
			user := c.any("user")
			if c.chance(20) {
				user = c.text(document, "owner")
			}
			return user, []string{"read", "edit", "delete"}[c.random.IntN(3)], document
		},
		allows: mayUseDocument,
	}
}

func mayUseDocument(c *community, user, action, document string) bool {
	if c.holds(user, "suspended") || action != "read" && c.holds(document, "locked") {
		return false
	}
	may := []string{}
	if c.text(document, "owner") == user {
		may = append(may, "read", "edit", "delete")
	}
	if c.isWithin(user, c.text(document, "editors")) {
		may = append(may, "read", "edit")
	}
	if c.holds(document, "public") || c.isWithin(user, c.text(document, "viewers")) || c.isWithin(document, c.refs(user, "shared")...) {
		may = append(may, "read")
	}
	return slices.Contains(may, action)
}
