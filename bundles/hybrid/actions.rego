package authz

import rego.v2

# METADATA
# title: What there is to do
# description: >-
#   The candidates of a search for actions: whatever some role permits on such a
#   resource, whoever asks. A kind of resource that data alone has brought is among
#   them. A rule that opens something that no role names adds it here.
actions contains action if {
	some role in data.directory.role
	some permission, _ in role.permissions
	[type, action] := split(permission, ":")
	type in {"*", input.resource.type}
	action != "*"
}

# METADATA
# title: Customers read their own record
actions contains "read" if input.resource.type == "customer_record"
