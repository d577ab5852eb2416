# A small hospital, as the directory would show it to a policy.
package verdict.fixture

import rego.v2

directory := object.union(entities, {"ref": {entity.ref: entity | some entity in entities[_]}})

root := "tenant:hospital"

# 2026-01-01 and 2026-07-01, in nanoseconds.
start := 1767225600000000000

end := 1782864000000000000

unbounded := 9223372036854775807

now := 1775000000000000000

asks(subject, action, resource) := {
	"tenant": "hospital",
	"subject": object.union({"properties": {}}, subject),
	"action": {"name": action, "properties": {}},
	"resource": object.union({"properties": {}}, resource),
	"context": {},
}

user(id) := {"type": "user", "id": id}

record(id) := {"type": "record", "id": id}

# An entity that stands below others, each named with its distance.
entity(type, id, above, members) := object.union(
	{
		"type": type, "id": id, "ref": ref, "attributes": {}, "parents": [],
		"ancestors": {ancestor: ancestor | some ancestor, _ in distances},
		"distances": distances, "grants": [], "grants_by_scope": {},
	},
	members,
) if {
	ref := concat(":", [type, id])
	distances := object.union({ref: 0}, above)
}

holding(grants) := {
	"grants": grants,
	"grants_by_scope": {scope: [grant | some grant in grants; grant.scope == scope] | some scope in {grant.scope | some grant in grants}},
}

rota := {
	"id": "g1", "subject": "user:mina", "role": "role:nurse", "scope": "department:icu",
	"not_before": "2026-01-01T00:00:00Z", "not_before_ns": start,
	"not_after": "2026-07-01T00:00:00Z", "not_after_ns": end,
}

audit := {
	"id": "g2", "subject": "user:olga", "role": "role:auditor", "scope": root,
	"not_before_ns": 0, "not_after_ns": unbounded,
}

icu := {"department:icu": 1, "department:clinical": 2, root: 3}

surgery := {"department:surgery": 1, "department:clinical": 2, root: 3}

entities := {
	"user": {
		"mina": entity("user", "mina", icu, object.union(
			{"attributes": {"title": "nurse", "limits": {"daily": 10}}},
			holding([rota]),
		)),
		"olga": entity("user", "olga", surgery, holding([audit])),
		"mail:x": entity("user", "mail:x", {root: 1}, {}),
	},
	"record": {
		"r1": entity("record", "r1", icu, {"attributes": {"locked": true}}),
		"r2": entity("record", "r2", surgery, {}),
	},
	"role": {
		"nurse": entity("role", "nurse", {"role:reader": 1, root: 2}, {"permissions": {
			"record:amend": "role:nurse",
			"record:read": "role:reader",
		}}),
		"reader": entity("role", "reader", {root: 1}, {"permissions": {"record:read": "role:reader"}}),
		"auditor": entity("role", "auditor", {root: 1}, {"permissions": {"*:audit": "role:auditor"}}),
		"clerk": entity("role", "clerk", {root: 1}, {"permissions": {"record:*": "role:clerk"}}),
		"super": entity("role", "super", {root: 1}, {"permissions": {"*:*": "role:super"}}),
	},
}
