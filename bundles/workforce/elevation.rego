# Elevated rights, which end by themselves (W2).
package authz

import rego.v2

import data.verdict.rbac

# METADATA
# title: Elevated rights
elevated_permissions := {"server:administer"}

# METADATA
# title: Elevated rights take a grant that ends
# description: >-
#   Said of the permission, not of a role: a role that comes to it by
#   inheritance or by a wildcard gives it no more than any other without an end.
deny contains sprintf("%s is an elevated right: it takes a grant in force that has an end", [permission]) if {
	permission in elevated_permissions
	not granted_with_an_end
}

# METADATA
# title: Some grant that permits the request has an end
granted_with_an_end if {
	some grant in rbac.grants
	grant.not_after
}
