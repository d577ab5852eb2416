# METADATA
# title: Roles and grants
# description: >-
#   What the subject's grants permit. A grant counts when it is in force,
#   covers the resource, and its role permits the action.
package verdict.rbac

import rego.v2

import data.verdict.request

# METADATA
# scope: document
# title: Some grant permits the request
# description: Always a boolean; false for a subject that the directory does not know.
default permitted := false

permitted if {
	some scope in _scopes
	some grant in request.subject.grants_by_scope[scope]
	_permits_action(grant)
}

# METADATA
# title: The grants that permit the request
# description: The subject's own and inherited ones, to cite in a reason or an obligation.
grants contains grant if {
	some scope in _scopes
	some grant in request.subject.grants_by_scope[scope]
	_permits_action(grant)
}

# METADATA
# title: A grant is in force
# description: Its start is part of its time, its end is not.
in_force(grant) if {
	now := time.now_ns()
	grant.not_before_ns <= now
	now < grant.not_after_ns
}

# METADATA
# scope: document
# title: A grant covers a resource
# description: >-
#   The resource is its scope or below it. For a resource that the directory
#   does not know, pass null: only a grant on the whole tenant covers it.
covers(grant, resource) if resource.ancestors[grant.scope]

covers(grant, null) if grant.scope == request.root

# METADATA
# scope: document
# title: A role permits an action on a type
# description: >-
#   The role is a ref. Its permissions, and those of the roles above it, are
#   "type:action", with * for every type or every action.
permits(role, type, action) if data.directory.ref[role].permissions[concat(":", [type, action])]

permits(role, type, _) if data.directory.ref[role].permissions[concat(":", [type, "*"])]

permits(role, _, action) if data.directory.ref[role].permissions[concat(":", ["*", action])]

permits(role, _, _) if data.directory.ref[role].permissions["*:*"]

# The scopes that cover the resource. A type with a colon in it is refused, so
# that "a:b" and "c" cannot meet a permission for "b:c" on type "a".
_scopes := request.resource.ancestors

_scopes := {request.root} if {
	not request.resource_known
	not contains(input.resource.type, ":")
}

_permits_action(grant) if {
	in_force(grant)
	permits(grant.role, input.resource.type, input.action.name)
}
