package scenario

import (
	"fmt"
	"slices"
)

const (
	roleCount          = 1_000
	permissionsPerRole = 10
	rolesPerUser       = 5
	roleUsers          = 2_000
	permittedTypes     = 50
	permittedActions   = 20
)

// newRoles is a world where users have a few of many roles.
func newRoles() (*World, error) {
	b, err := policy("roles")
	if err != nil {
		return nil, err
	}
	random := newRandom(4)
	permission := func() string {
		return fmt.Sprintf("type-%02d:action-%02d", random.IntN(permittedTypes), random.IntN(permittedActions))
	}
	permits := make([][]any, roleCount)
	roles := make(map[string]any, roleCount)
	for i := range permits {
		for range permissionsPerRole {
			permits[i] = append(permits[i], permission())
		}
		roles[roleName(i)] = permits[i]
	}
	b.Data = map[string]any{"roles": roles}

	var directory builder
	held := make([][]int, roleUsers)
	for u := range held {
		var names []string
		for range rolesPerUser {
			role := random.IntN(roleCount)
			held[u] = append(held[u], role)
			names = append(names, roleName(role))
		}
		directory.add(member(u), attributes{"roles": names})
	}
	question := func(u int, permission string, allowed bool) Question {
		typ, action := splitPermission(permission)
		q := no("roles", member(u), action, typ+":x", nil)
		q.Request.Resource.ID = fmt.Sprintf("r%d", random.IntN(1_000_000))
		q.Allowed = allowed
		return q
	}
	questions, err := ask(random,
		func() Question {
			u := random.IntN(roleUsers)
			role := held[u][random.IntN(rolesPerUser)]
			return question(u, permits[role][random.IntN(permissionsPerRole)].(string), true)
		},
		func() Question {
			u, asked := random.IntN(roleUsers), permission()
			for slices.ContainsFunc(held[u], func(role int) bool { return slices.Contains(permits[role], any(asked)) }) {
				asked = permission()
			}
			return question(u, asked, false)
		},
	)
	return &World{Tenant: "roles", Bundle: b, Entities: directory.entities, Now: now(), Questions: questions}, err
}

func roleName(i int) string { return fmt.Sprintf("role-%04d", i) }

// member is a user of a world that is about one thing.
func member(i int) string { return fmt.Sprintf("user:u%05d", i) }

// splitPermission is the type and the action of type:action.
func splitPermission(permission string) (typ, action string) {
	r := ref(permission)
	return r.Type, r.ID
}
