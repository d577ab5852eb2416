# How the tests of this bundle ask. They read the directory of directory.jsonl as
# it stands; where a case needs another, it replaces one entity of it.
package authz_test

import rego.v2

import data.authz

# METADATA
# title: What is decided
# description: Subject and resource are refs; none of these tests has a colon in an id.
decision(subject, action, resource, context) := decided({
	"tenant": "workforce",
	"subject": named(subject),
	"action": {"name": action, "properties": {}},
	"resource": named(resource),
	"context": context,
})

decided(request) := {"allowed": allowed, "reasons": reasons, "obligations": obligations} if {
	allowed := authz.allowed with input as request
	reasons := authz.deny | authz.reasons with input as request
	obligations := authz.obligations with input as request
}

named(ref) := {"type": type, "id": id, "properties": {}} if [type, id] := split(ref, ":")

allowed(subject, action, resource) if decision(subject, action, resource, {}).allowed

denied(subject, action, resource, reason) if {
	denied_in({}, subject, action, resource, reason)
}

denied_in(context, subject, action, resource, reason) if {
	made := decision(subject, action, resource, context)
	made.allowed == false
	reason in made.reasons
}

# Denied for these reasons and no others.
denied_only(subject, action, resource, reasons) if {
	made := decision(subject, action, resource, {"mfa": true})
	made.allowed == false
	made.reasons == reasons
}

# METADATA
# title: What is decided of a grant to be made
granting(subject, role, receiver, scope) := decided({
	"tenant": "workforce",
	"subject": named(subject),
	"action": {"name": "grant_role", "properties": {"role": role, "subject": receiver}},
	"resource": named(scope),
	"context": {"mfa": true},
})

# METADATA
# title: A person with these grants in place of their own
holding(user, grants) := object.union(object.remove(user, ["grants", "grants_by_scope"]), {
	"grants": grants,
	"grants_by_scope": {scope: [grant | some grant in grants; grant.scope == scope] |
		some scope in {grant.scope | some grant in grants}
	},
})

# METADATA
# title: A grant without bounds
grant(subject, role, scope) := {
	"id": "made-up", "subject": subject, "role": role, "scope": scope,
	"not_before_ns": 0, "not_after_ns": 9223372036854775807,
}

# METADATA
# title: An entity with some attributes replaced
altered(entity, attributes) := object.union(entity, {"attributes": attributes})

# METADATA
# title: An entity without some of its attributes
lacking(entity, names) := object.union(
	object.remove(entity, ["attributes"]),
	{"attributes": object.remove(entity.attributes, names)},
)
