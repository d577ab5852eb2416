# What grants open, by the names of actions: permits and permitted asked the other
# way round. Nothing here rests on the request's action.
package verdict.rbac

import rego.v2

import data.verdict.request

# METADATA
# title: The actions that a role names for a type
# description: >-
#   As permits finds them: by "type:action" and by "*:action". An action that is
#   only permitted by "type:*" or "*:*" is named nowhere, and not among them.
names(role, type) := {action |
	some prefix in {concat(":", [type, ""]), "*:"}
	some permission, _ in data.directory.ref[role].permissions
	startswith(permission, prefix)
	action := trim_prefix(permission, prefix)
	not action in {"", "*"}
}

# METADATA
# scope: document
# title: The actions that the subject's grants open
# description: >-
#   Those that permitted is true for and that have a name, for the policy's rule
#   actions. Where any_action holds, these are the ones that any role in the
#   directory names for the type: only then are they all read.
actions contains action if {
	some role in _roles
	some action in names(role, input.resource.type)
}

actions contains action if {
	any_action
	some role in data.directory.role
	some action in names(role.ref, input.resource.type)
}

# METADATA
# scope: document
# title: Some grant permits every action
# description: >-
#   Of whatever name, by "type:*" or "*:*". What no role names, but a rule of the
#   policy knows, the policy has to add to the actions.
default any_action := false

any_action if {
	some role in _roles
	permits(role, input.resource.type, "*")
}

# The roles of the grants that are in force and cover the resource.
_roles contains grant.role if {
	some scope in _scopes
	some grant in request.subject.grants_by_scope[scope]
	in_force(grant)
}
