# Human resources: employee records (W1), administrators (W3) and salaries (W4).
package authz

import rego.v2

import data.verdict.request

# METADATA
# title: HR data takes an explicit grant
# description: >-
#   A wildcard, or an HR role that a role of another domain inherits, opens
#   nothing here: an administrator reads HR data only if somebody wrote down that
#   they may.
deny contains "HR data takes a grant that names an HR role, its holder and a part of the organization." if {
	input.resource.type in hr_types
	count(opening_grants) == 0
}

# METADATA
# title: The types of HR data
hr_types := {"employee_record", "salary"}

# METADATA
# title: A grant of HR data that is not explicit does not count
discounted(grant) if {
	input.resource.type in hr_types
	not hr_explicit(grant)
}

# METADATA
# title: A grant is explicit
# description: >-
#   The role it names is one of the HR domain and holds the permission by its
#   full name; inheriting it from a junior HR role is well. It is given neither
#   to everyone nor on everything.
hr_explicit(grant) if {
	role := data.directory.ref[grant.role]
	role.attributes.domain == "hr"
	role.permissions[permission]
	grant.subject != request.root
	grant.scope != request.root
}
