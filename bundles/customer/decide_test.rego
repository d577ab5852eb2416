# What the tests of this bundle ask with.
package authz_test

import rego.v2

import data.authz

# The time of a decision where a test sets no other.
now := time.parse_rfc3339_ns("2026-01-15T12:00:00Z")

# The root of the tenant that the directory was loaded into.
root := ref if {
	some ref in data.directory.user.ana.ancestors
	startswith(ref, "tenant:")
}

asks(subject, action, resource) := asks_in(subject, action, resource, {})

asks_in(subject, action, resource, context) := {
	"tenant": trim_prefix(root, "tenant:"),
	"subject": object.union(parsed(subject), {"properties": {}}),
	"action": {"name": action, "properties": {}},
	"resource": object.union(parsed(resource), {"properties": {}}),
	"context": context,
}

parsed(ref) := {"type": substring(ref, 0, colon), "id": substring(ref, colon + 1, -1)} if {
	colon := indexof(ref, ":")
}

# The decision as a caller sees it: what deny says comes with the reasons.
decided(request) := decided_at(request, now)

decided_at(request, time_ns) := decision if {
	decision := outcome with input as request with time.now_ns as time_ns
}

outcome := {
	"allowed": authz.allowed,
	"reasons": (authz.deny | authz.reasons),
	"obligations": authz.obligations,
}

# An entity of the directory with some attributes changed.
changed(entity, attributes) := object.union(entity, {"attributes": attributes})
