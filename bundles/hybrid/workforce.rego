package authz

import rego.v2

import data.verdict.hierarchy
import data.verdict.rbac
import data.verdict.request

# METADATA
# title: The workforce uses what belongs to its organization, by role
# description: >-
#   Except for customers' records, wherever they stand: a role is not enough for
#   them, and support.rego alone opens them.
allow if {
	_workforce_asks
	rbac.permitted
}

# METADATA
# title: What roles open
actions contains action if {
	_workforce_asks
	some action in rbac.actions
}

# METADATA
# title: What a wildcard opens, though no role may name it
actions contains action if {
	_workforce_asks
	rbac.any_action
	some action in _known_actions[input.resource.type]
}

# What can be done with what belongs to the workforce. Only a role with "type:*" or
# "*:*" needs it, which names no action.
_known_actions := {"runbook": {"read"}}

# METADATA
# title: The role is missing
missing contains "No role of the subject permits this here." if _workforce_asks

_workforce_asks if {
	input.subject.type == "user"
	request.subject_known
	input.resource.type != "customer_record"
	count(hierarchy.ancestors_of_type(request.resource, "organization")) > 0
}
