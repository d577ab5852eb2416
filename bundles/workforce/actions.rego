# What may be done with a resource, perhaps: the candidates of a search for
# actions, each of which is then decided. A candidate too many costs a decision;
# one that is missing is not found. So nothing here is withheld that a concern
# might deny, and the action of the request, which is empty, is not looked at.
package authz

import rego.v2

import data.verdict.rbac

# METADATA
# title: What can be done, by the type of the resource
# description: >-
#   Only a role with "type:*" or "*:*" needs it, which names no action. What other
#   roles in the directory name for the type it opens without this.
known_actions := {
	"app": {"open"},
	"budget": {"approve"},
	"course": {"administer", "grade"},
	"document": {"read"},
	"employee_record": {"read"},
	"grade": {"read"},
	"leave_request": {"approve", "read"},
	"patient_record": {"read", "write"},
	"payment": {"approve", "prepare"},
	"repository": {"read", "write"},
	"salary": {"read"},
	"school": {"administer"},
	"server": {"administer", "restart"},
}

# METADATA
# title: What can be done with a resource of any type
known_on_any_resource := {"grant_role"}

# METADATA
# title: What grants open
actions contains action if some action in rbac.actions

# METADATA
# title: What a wildcard opens, though no role may name it
actions contains action if {
	rbac.any_action
	some action in known_actions[input.resource.type]
}

# METADATA
# title: What a wildcard opens on any resource
actions contains action if {
	rbac.any_action
	some action in known_on_any_resource
}
