# METADATA
# title: What a person may have written for them
# description: >-
#   Asked about each write on behalf of a person (docs/changes.md): grants alone,
#   and those that the person may give by the decision on grant_role (W13), be they
#   given, changed or taken. The service that writes has seen the person's login,
#   and vouches for multi-factor authentication by writing for them.
package verdict.delegation

import rego.v2

import data.authz

# METADATA
# title: Every change is one that the person may make
default allow := false

allow if {
	count(input.changes) > 0
	every change in input.changes {
		change.grant
		count(unlawful(change)) == 0
	}
}

# METADATA
# title: Why not
reasons contains sprintf("On behalf of a person only grants can be written, and not %s.", [change.entity]) if {
	some change in input.changes
}

reasons contains sprintf("%s: %s", [change.grant, reason]) if {
	some change in input.changes
	some side in unlawful(change)
	some reason in denied(change[side])
}

# METADATA
# title: The sides of a change that the person may not make so
unlawful(change) := {side |
	some side in ["before", "after"]
	grant := change[side]
	not lawful(grant)
}

# METADATA
# title: The person may give the grant
lawful(grant) if authz.allowed with input as giving(grant)

# METADATA
# title: What stands against it
denied(grant) := reasons if reasons := authz.reasons | authz.deny with input as giving(grant)

# METADATA
# title: The request to give the grant
giving(grant) := {
	"tenant": input.tenant,
	"subject": parts(input.person),
	"action": {"name": "grant_role", "properties": {"role": grant.role, "subject": grant.subject}},
	"resource": parts(grant.scope),
	"context": {"mfa": true},
}

# METADATA
# title: A ref as a request names an entity
parts(ref) := {"type": substring(ref, 0, at), "id": substring(ref, at + 1, -1), "properties": {}} if at := indexof(ref, ":")
