package scenario

import "slices"

// code is code hosting, with organizations and teams: a repository is open to
// teams and users by role, and to its organization.
func code() workload {
	return workload{
		name: "code", what: "code hosting with organizations and teams",
		refs: []string{"owners", "organization", "readers", "writers", "maintainers", "repository", "author"},
		populate: func(c *community) {
			for i := range c.size {
				c.put(c.ref("organization", i), attributes{"owners": c.some("user")})
			}
			for i := range c.size {
				parents := []string{c.ref("organization", i/teamsPerOrganization)}
				if place := i % teamsPerOrganization; place > 0 {
					parents = append(parents, c.ref("team", i-place+(place-1)/2))
				}
				c.put(c.ref("team", i), nil, parents...)
				c.put(c.ref("user", i), nil, c.some("team")...)
			}
			for i := range c.size {
				c.put(c.ref("repository", i), attributes{
					"organization": c.ref("organization", c.random.IntN(1+(c.size-1)/teamsPerOrganization)),
					"visibility":   []string{"public", "internal", "private", "private", "private"}[c.random.IntN(5)],
					"archived":     c.chance(10),
					"readers":      append(c.some("team"), c.any("user")),
					"writers":      c.some("team"),
					"maintainers":  []string{c.any("user"), c.any("team")},
				})
				c.put(c.ref("issue", i), attributes{"repository": c.any("repository"), "author": c.any("user")})
			}
		},
		draw: func(c *community) (subject, action, resource string) {
			if c.chance(25) {
				issue := c.any("issue")
				if c.chance(20) {
					return c.text(issue, "author"), "close", issue
				}
				return c.any("user"), "close", issue
			}
			return c.any("user"), []string{"read", "push", "administer"}[c.random.IntN(3)], c.any("repository")
		},
		allows: func(c *community, user, action, resource string) bool {
			if action == "close" {
				return mayClose(c, user, resource)
			}
			return mayUseRepository(c, user, action, resource)
		},
	}
}

const teamsPerOrganization = 5

func mayUseRepository(c *community, user, action, repository string) bool {
	organization := c.text(repository, "organization")
	maintains := c.isWithin(user, c.refs(repository, "maintainers")...)
	owns := slices.Contains(c.refs(organization, "owners"), user)
	writes := maintains || c.isWithin(user, c.refs(repository, "writers")...)
	switch action {
	case "administer":
		return maintains || owns
	case "push":
		return writes && !c.holds(repository, "archived")
	}
	switch c.text(repository, "visibility") {
	case "public":
		return true
	case "internal":
		if c.isWithin(user, organization) {
			return true
		}
	}
	return writes || owns || c.isWithin(user, c.refs(repository, "readers")...)
}

func mayClose(c *community, user, issue string) bool {
	repository := c.text(issue, "repository")
	if c.holds(repository, "archived") {
		return false
	}
	return c.text(issue, "author") == user ||
		c.isWithin(user, c.refs(repository, "writers")...) || c.isWithin(user, c.refs(repository, "maintainers")...)
}
