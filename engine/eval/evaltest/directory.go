package evaltest

import (
	"time"

	"github.com/verdictpdp/verdict/api/authz"
	"github.com/verdictpdp/verdict/engine/eval"
)

// ward is the example of DESIGN: a nurse, what is above her, and her grants.
const ward = `
{"entity": {"type": "user", "id": "mina", "attributes": {"title": "nurse", "clearance": 2, "manager": "user:olga"}, "parents": ["department:icu", "group:night-shift"]}}
{"entity": {"type": "user", "id": "olga", "attributes": {"title": "head"}, "parents": ["department:clinical"]}}
{"entity": {"type": "department", "id": "icu", "parents": ["department:clinical"]}}
{"entity": {"type": "department", "id": "clinical", "parents": ["organization:st-olaf"]}}
{"entity": {"type": "group", "id": "night-shift"}}
{"entity": {"type": "record", "id": "r1", "attributes": {"locked": false}, "parents": ["department:icu"]}}
{"entity": {"type": "role", "id": "staff", "attributes": {"permissions": ["record:list", "menu:read"]}}}
{"entity": {"type": "role", "id": "nurse", "attributes": {"permissions": ["record:read", "record:list"]}, "parents": ["role:staff"]}}
{"grant": {"id": "g1", "subject": "user:mina", "role": "role:nurse", "scope": "department:icu", "not_before": "2026-01-01T00:00:00Z", "not_after": "2026-07-01T00:00:00Z", "reason": "ward rota"}}
{"grant": {"id": "g0", "subject": "tenant:clinic", "role": "role:staff"}}
`

// covered is how a policy asks for a grant in force that reaches the resource.
const covered = `
allow if {
	some grant in data.directory.user[input.subject.id].grants
	grant.not_before_ns <= time.now_ns()
	time.now_ns() < grant.not_after_ns
	data.directory.record[input.resource.id].ancestors[grant.scope]
	data.directory.ref[grant.role].permissions["record:read"]
}`

// directoryCases are about data.directory.
func directoryCases() []Case {
	return []Case{
		{
			Name: "an entity is what DESIGN says",
			Rego: `
grant := {
	"id": "g1", "subject": "user:mina", "role": "role:nurse", "scope": "department:icu",
	"not_before": "2026-01-01T00:00:00Z", "not_before_ns": 1767225600000000000,
	"not_after": "2026-07-01T00:00:00Z", "not_after_ns": 1782864000000000000, "reason": "ward rota",
}
everyone := {
	"id": "g0", "subject": "tenant:clinic", "role": "role:staff", "scope": "tenant:clinic",
	"not_before_ns": 0, "not_after_ns": 9223372036854775807,
}
allow if data.directory.user.mina == {
	"type": "user", "id": "mina", "ref": "user:mina",
	"attributes": {"title": "nurse", "clearance": 2, "manager": "user:olga"},
	"parents": ["department:icu", "group:night-shift"],
	"ancestors": {
		"user:mina": "user:mina", "department:icu": "department:icu", "group:night-shift": "group:night-shift",
		"department:clinical": "department:clinical", "organization:st-olaf": "organization:st-olaf", "tenant:clinic": "tenant:clinic",
	},
	"distances": {"user:mina": 0, "department:icu": 1, "group:night-shift": 1, "department:clinical": 2, "organization:st-olaf": 3, "tenant:clinic": 2},
	"grants": [everyone, grant],
	"grants_by_scope": {"department:icu": [grant], "tenant:clinic": [everyone]},
}`,
			Directory: ward,
			Want:      allowed(),
		},
		{
			Name: "a role has permissions, each from the nearest role",
			Rego: `allow if {
	data.directory.role.nurse.permissions == {"record:read": "role:nurse", "record:list": "role:nurse", "menu:read": "role:staff"}
	object.keys(data.directory.role.nurse) - object.keys(data.directory.user.mina) == {"permissions"}
	not data.directory.user.mina.permissions
}`,
			Directory: ward,
			Want:      allowed(),
		},
		{
			Name: "members are gone through in order, without being made",
			Rego: `
mina := data.directory.user.mina
allow if {
	[k | some k, _ in mina.attributes] == ["clearance", "manager", "title"]
	[v | some v in mina.attributes] == [2, "user:olga", "nurse"]
	[[i, v] | some i, v in mina.parents] == [[0, "department:icu"], [1, "group:night-shift"]]
	[v | some v in mina.ancestors] == sort(object.keys(mina.ancestors))
	[[k, v] | some k, v in mina.distances; v > 1] == [["department:clinical", 2], ["organization:st-olaf", 3], ["tenant:clinic", 2]]
	[[i, g.id] | some i, g in mina.grants] == [[0, "g0"], [1, "g1"]]
	[[k, g.id] | some k, list in mina.grants_by_scope; some g in list] == [["department:icu", "g1"], ["tenant:clinic", "g0"]]
	[k | some k, _ in data.directory.role.nurse.permissions] == ["menu:read", "record:list", "record:read"]
	[k | some k, _ in mina.permissions] == []
	[k | some k in mina.type] == []
	[[a, b] | some a in mina.parents; some b in data.directory.ref[a].ancestors; startswith(b, "dep")] == [["department:icu", "department:clinical"], ["department:icu", "department:icu"]]
	count([1 | some e in [mina, data.directory.user.olga, {"ancestors": ["x", "y"]}, {"ancestors": 5}, {}]; some _ in e.ancestors]) == 12
	every a in mina.ancestors { a != "department:er" }
	not _below_nobody
	[a | some a in data.directory.user.mina.ancestors] == ["other"] with data.directory.user.mina.ancestors as {"k": "other"}
	[a | some a in data.directory.user.mina.parents] == ["p"] with data.directory.user.mina as {"parents": {"p"}}
}
_below_nobody if {
	some a in mina.ancestors
	a == "user:mina"
	some b in data.directory.user.nobody.ancestors
	b == a
}`,
			Directory: ward,
			Want:      allowed(),
		},
		{
			Name:      "a grant inside its window",
			Rego:      covered,
			Directory: ward,
			Want:      allowed(),
		},
		{
			Name:      "a grant at its end, which is exclusive",
			Rego:      covered,
			Directory: ward,
			Now:       time.Date(2026, 7, 1, 0, 0, 0, 0, time.UTC),
			Want:      denied(),
		},
		{
			Name:      "a grant a nanosecond before its end",
			Rego:      covered,
			Directory: ward,
			Now:       time.Date(2026, 6, 30, 23, 59, 59, 999999999, time.UTC),
			Want:      allowed(),
		},
		{
			Name:      "a grant before its beginning",
			Rego:      covered,
			Directory: ward,
			Now:       time.Date(2025, 12, 31, 23, 59, 59, 999999999, time.UTC),
			Want:      denied(),
		},
		{
			Name: "references are followed by ref, ids with colons included",
			Rego: `allow if {
	user := data.directory.user.mina
	boss := data.directory.ref[user.attributes.manager]
	boss.attributes.title == "head"
	boss.id == "a:b"
	data.directory.ref["user:a:b"].ref == "user:a:b"
	data.directory.user["a:b"] == boss
	not data.directory.ref["user"]
	not data.directory.ref["nobody:a:b"]
}`,
			Directory: `{"entity": {"type": "user", "id": "mina", "attributes": {"manager": "user:a:b"}}}
{"entity": {"type": "user", "id": "a:b", "attributes": {"title": "head"}}}`,
			Want: allowed(),
		},
		{
			Name: "ids that look like numbers, paths or members",
			Rego: `allow if {
	data.directory.user["7"].id == "7"
	data.directory.user["a/b"].id == "a/b"
	data.directory.user["attributes"].attributes.level == 1
	data.directory.user["%2F"].id == "%2F"
	not data.directory.user["08"]
}`,
			Directory: `{"entity": {"type": "user", "id": "7"}}
{"entity": {"type": "user", "id": "a/b"}}
{"entity": {"type": "user", "id": "attributes", "attributes": {"level": 1}}}
{"entity": {"type": "user", "id": "%2F"}}`,
			Want: allowed(),
		},
		{
			Name: "what is absent in an entity is empty",
			Rego: `allow if {
	e := data.directory.user.bare
	e.attributes == {}
	e.parents == []
	e.grants == []
	e.grants_by_scope == {}
	e.ancestors == {"user:bare": "user:bare", "tenant:clinic": "tenant:clinic"}
	e.distances == {"user:bare": 0, "tenant:clinic": 1}
	not e.nothing
	not data.directory.user.bare.nothing
	not data.directory.user.bare.attributes.nothing
	not data.directory.user.bare.parents[0]
	not data.directory.user.bare.id.deeper
}`,
			Directory: `{"entity": {"type": "user", "id": "bare"}}`,
			Want:      allowed(),
		},
		{
			Name: "members of members",
			Rego: `allow if {
	data.directory.user.mina.parents[1] == "group:night-shift"
	data.directory.user.mina.grants[1].reason == "ward rota"
	data.directory.user.mina.grants_by_scope["department:icu"][0].id == "g1"
	data.directory.user.mina.ancestors["department:clinical"]
	"department:clinical" in data.directory.user.mina.ancestors
	not data.directory.user.mina.grants[2]
	count(data.directory.user.mina.grants) == 2
}`,
			Directory: ward,
			Want:      allowed(),
		},
		{
			Name: "an unknown entity is undefined, and a comparison with it fails",
			Rego: `allow if data.directory.user.ghost.attributes.level > 0
deny contains "unknown" if not data.directory.user.ghost
deny contains "not suspended, it seems" if not data.directory.user.ghost.attributes.suspended`,
			Want: eval.Output{Deny: []string{"not suspended, it seems", "unknown"}},
		},
		{
			Name: "the root is no entity",
			Rego: `allow if {
	not data.directory.tenant
	not data.directory.tenant.clinic
	not data.directory.ref["tenant:clinic"]
	count(data.directory.user.mina.grants) == 2
}`,
			Directory: ward,
			Want:      allowed(),
		},
		{
			Name: "a parent that does not exist is an ancestor, and its grants count",
			Rego: `allow if {
	user := data.directory.user.mina
	user.ancestors["group:later"]
	user.grants[0].subject == "group:later"
	not data.directory.ref["group:later"]
}`,
			Directory: `{"entity": {"type": "user", "id": "mina", "parents": ["group:later"]}}
{"grant": {"id": "g", "subject": "group:later", "role": "role:nurse"}}`,
			Want: allowed(),
		},
		{
			Name: "iteration over a type, its ids in order",
			Rego: `allow if [id | some id; data.directory.user[id].attributes.title] == ["mina", "olga"]
reasons contains id if some id, u in data.directory.user`,
			Directory: ward,
			Want:      eval.Output{Allow: true, Reasons: []string{"mina", "olga"}},
		},
		{
			Name: "iteration over a type that has no entities",
			Rego: `allow if true
reasons contains id if some id, u in data.directory.spaceship
reasons contains "defined" if data.directory.spaceship`,
			Directory: ward,
			Want:      allowed(),
		},
		{
			Name: "iteration over types and over refs",
			Rego: `allow if {
	{typ | some typ; data.directory[typ]} == {"user", "department", "group", "record", "role", "ref"}
	count(data.directory.ref) == 8
	data.directory.ref["user:mina"] == data.directory.user.mina
	some ref, e in data.directory.ref
	e.attributes.title == "head"
	ref == "user:olga"
}`,
			Directory: ward,
			Want:      allowed(),
		},
		{
			Name: "all of data, static and directory",
			Rego: `allow if { some name; data[name].user.olga.attributes.title == "head" }
reasons contains name if { some name; data[name].here }`,
			Data:      `{"static": {"here": true}}`,
			Directory: ward,
			Want:      eval.Output{Allow: true, Reasons: []string{"static"}},
		},
		{
			Name: "an empty directory",
			Rego: `allow if {
	data.directory == {"ref": {}}
	not data.directory.user
}`,
			Want: allowed(),
		},
		{
			Name: "numbers in attributes are exact",
			Rego: `allow if {
	a := data.directory.user.mina.attributes
	a.big == 9007199254740993
	a.big != 9007199254740992
	a.huge - 1 == 99999999999999999999
	a.cents * 3 == 0.3
}`,
			Directory: `{"entity": {"type": "user", "id": "mina", "attributes": {"big": 9007199254740993, "huge": 100000000000000000000, "cents": 0.1}}}`,
			Want:      allowed(),
		},
		{
			Name: "entities in sets, as keys and as arguments",
			Rego: `allow if {
	a := data.directory.user.mina
	b := data.directory.ref["user:mina"]
	{a, b} == {a}
	{a: 1}[b] == 1
	json.unmarshal(json.marshal(a)) == b
	object.get(a, ["attributes", "clearance"], 0) == 2
	named(a, "mina")
}
named(e, id) if e.id == id`,
			Directory: ward,
			Want:      allowed(),
		},
		{
			Name:      "as many entities as the limit",
			Rego:      `allow if count(data.directory.user) == 2`,
			Directory: ward,
			Entities:  2,
			Want:      allowed(),
		},
		{
			Name: "one entity read many times counts once, and ancestors do not",
			Rego: `allow if {
	data.directory.user.mina.attributes.title == "nurse"
	data.directory.user.mina.ancestors["organization:st-olaf"]
	data.directory.ref["user:mina"].grants[0].id == "g0"
}`,
			Directory: ward,
			Entities:  1,
			Want:      allowed(),
		},
		{
			Name: "facts are what was read, known and unknown, in order",
			Rego: `allow if {
	data.directory.user[input.subject.id].attributes.title == "nurse"
	not data.directory.record[input.resource.id].attributes.locked == true
	data.directory.ref["user:ghost"].attributes.x
}`,
			Directory: ward,
			Want:      denied(),
			Facts:     []authz.Fact{{Ref: "user:mina", Known: true}, {Ref: "record:r1", Known: true}, {Ref: "user:ghost"}},
		},
	}
}
