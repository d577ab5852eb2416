# METADATA
# title: Workforce
# description: >-
#   Who in an organization may do what. Grants open doors: a grant in force,
#   whose role permits the action and whose scope covers the resource. The other
#   files each hold one concern. A few open a further door; most close some,
#   with deny, which overrides allow whatever else is added later. Nothing here
#   rests on a property that the caller claims.
package authz

import rego.v2

import data.verdict.rbac
import data.verdict.request

# METADATA
# title: No door is open
default allow := false

# METADATA
# title: By a grant
# description: >-
#   A role on a scope, given to the subject or to something they belong to.
allow if count(opening_grants) > 0

# METADATA
# title: The grants that open the door
# description: >-
#   Some data and some rights ask more of a grant than that its role permits the
#   action: a concern discounts those that fall short, with discounted(grant).
opening_grants contains grant if {
	some grant in rbac.grants
	not discounted(grant)
}

# METADATA
# title: The decision
# description: For reasons and obligations to rest on.
default allowed := false

# METADATA
# title: A door is open and nothing denies it
allowed if {
	allow
	count(deny) == 0
}

# METADATA
# title: What the request takes
# description: As roles list it, type:action.
permission := concat(":", [input.resource.type, input.action.name])

# METADATA
# title: What opened the door
reasons contains sprintf("Granted by %s: %s on %s.", [grant.id, grant.role, grant.scope]) if {
	allowed
	some grant in opening_grants
}

# METADATA
# title: What would have opened a door
reasons contains sprintf("No grant in force gives %s the permission %s on %s.", [
	request.subject_ref,
	permission,
	request.resource_ref,
]) if {
	not allow
	request.subject_known
	request.resource_known
}

# METADATA
# title: A grant that has ended
reasons contains sprintf("Grant %s ended at %s.", [grant.id, grant.not_after]) if {
	some grant in out_of_force
	time.now_ns() >= grant.not_after_ns
}

# METADATA
# title: A grant that has not begun
reasons contains sprintf("Grant %s begins at %s.", [grant.id, grant.not_before]) if {
	some grant in out_of_force
	time.now_ns() < grant.not_before_ns
}

# METADATA
# title: The grants that would open the door at another time
out_of_force contains grant if {
	not allow
	some scope in request.resource.ancestors
	some grant in request.subject.grants_by_scope[scope]
	rbac.permits(grant.role, input.resource.type, input.action.name)
	not discounted(grant)
}
