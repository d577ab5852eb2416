# Delegated administration (W13): "may the subject give role R to X on this
# resource?" The resource is the scope of the grant to be made, the action is
# grant_role, and its properties name the rest by refs: {"role": "role:team_lead",
# "subject": "user:nils"}. The refs are only looked up: what a role is above, and
# where a person belongs, the directory says.
package authz

import rego.v2

import data.verdict.hierarchy
import data.verdict.request

# METADATA
# title: The role to be given is at or below the manager's own
# description: >-
#   A senior role has the junior ones as ancestors. Their own role is the one that
#   lets them grant here; a role beside it is not below it.
deny contains "Nobody may give a role that is not at or below the one by which they give it here." if {
	input.action.name == "grant_role"
	count(delegable_by) == 0
}

# METADATA
# title: The receiver is in the manager's subtree
deny contains "A role may be given only to those in the subject's own part of the organization." if {
	input.action.name == "grant_role"
	count(delegable_by) > 0
	not receiver_in_subtree
}

# METADATA
# title: Nobody gives themselves a role
# description: Nor to a team or department that they are in.
deny contains "Nobody may give a role to themselves, nor to what they belong to." if {
	input.action.name == "grant_role"
	hierarchy.within(request.subject, input.action.properties.subject)
}

# METADATA
# title: The subject's grants by which they may give the role here
delegable_by contains grant if {
	role := data.directory.ref[input.action.properties.role]
	role.type == "role"
	some grant in opening_grants
	hierarchy.within(data.directory.ref[grant.role], role.ref)
}

# METADATA
# title: The receiver is below the scope of such a grant
receiver_in_subtree if {
	receiver := data.directory.ref[input.action.properties.subject]
	some grant in delegable_by
	hierarchy.within(receiver, grant.scope)
}
