# Elevated rights, which end by themselves (W2).
package authz

import rego.v2

# METADATA
# title: Elevated rights
elevated_permissions := {"server:administer"}

# METADATA
# title: Elevated rights take a grant that ends
# description: >-
#   Said of the permission, not of a role: a role that comes to it by
#   inheritance or by a wildcard gives it no more than any other without an end.
deny contains sprintf("%s is an elevated right: it takes a grant in force that has an end.", [permission]) if {
	permission in elevated_permissions
	count(opening_grants) == 0
}

# METADATA
# title: A grant of an elevated right that has no end does not count
discounted(grant) if {
	permission in elevated_permissions
	not grant.not_after
}
