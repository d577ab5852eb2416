# METADATA
# title: Separation of duties
# description: >-
#   Finds what one person may not hold or do together (NIST RBAC, static and
#   dynamic separation of duty). What excludes each other is the policy's to
#   say, as a list of lists: [["role:preparer", "role:approver"]] for roles,
#   [["prepare", "approve"]] for duties.
package verdict.sod

import rego.v2

import data.verdict.rbac

# METADATA
# title: The roles that a subject holds
# description: Refs of roles by grants in force, with the roles that those inherit.
roles_held(subject) := granted | inherited if {
	granted := {grant.role | some grant in subject.grants; rbac.in_force(grant)}
	inherited := {role |
		some holder in granted
		some role in data.directory.ref[holder].ancestors
		startswith(role, "role:")
	}
}

# METADATA
# title: Roles that exclude each other
# description: >-
#   The sets of two or more roles, out of a set of roles, that exclusive says
#   one person may not hold together. Ask about a role before it is given with
#   role_conflicts(roles_held(subject) | {role}, exclusive).
role_conflicts(roles, exclusive) := {conflict |
	some group in exclusive
	conflict := roles & {role | some role in group}
	count(conflict) > 1
}

# METADATA
# title: Duties done that exclude another
# description: >-
#   What the subject has done on the resource that keeps them from the duty.
#   The resource's attributes say who did what: {"duties": {"prepare":
#   "user:kim", "review": ["user:lee", "user:max"]}}.
duty_conflicts(subject, resource, duty, exclusive) := {done |
	some group in exclusive
	duty in group
	some done in group
	done != duty
	subject.ref in done_by(resource, done)
}

# METADATA
# title: Who has done a duty on a resource
# description: The set of those whom the resource's attributes name, one or a list.
done_by(resource, duty) := one | several if {
	one := {who | who := resource.attributes.duties[duty]; is_string(who)}
	several := {who | some who in resource.attributes.duties[duty]}
}

# METADATA
# title: Grants that give a subject roles that exclude each other
# description: >-
#   Texts that name both grants, the subject's own or inherited ones. Roles are
#   compared with what they inherit, and only those grants conflict whose times
#   overlap from now on. For the rule violations of package verdict.invariants,
#   by which a write that would lead to such grants is refused.
grant_conflicts(subject, exclusive) := {text |
	some group in exclusive
	some first in subject.grants
	some role in group
	_gives(first, role)
	some second in subject.grants
	_overlap(first, second)
	some other in group
	other != role
	_gives(second, other)
	_ordered(first, role, second, other)
	text := sprintf("%s cannot have %s by grant %s and %s by grant %s at a time", [subject.ref, role, first.id, other, second.id])
}

_gives(grant, role) if grant.role == role

_gives(grant, role) if data.directory.ref[grant.role].ancestors[role]

_overlap(a, b) if {
	a.not_before_ns < b.not_after_ns
	b.not_before_ns < a.not_after_ns
	now := time.now_ns()
	now < a.not_after_ns
	now < b.not_after_ns
}

# Each pair once, and one grant of both roles as well.
_ordered(first, _, second, _) if first.id < second.id

_ordered(first, role, second, other) if {
	first.id == second.id
	role < other
}
