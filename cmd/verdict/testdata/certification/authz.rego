# METADATA
# title: The fixture of AuthZEN's certification
# description: >-
#   What the certification scenario of the Authorization API 1.0 asks for
#   (sections 2.4 and 2.5 there): people with a role on records, of which the
#   archived are for admins alone. The caller's properties count over what the
#   directory knows, as the scenario has it: whoever asks is trusted.
package authz

import rego.v2

import data.verdict.claims
import data.verdict.rbac

# METADATA
# title: Who has a role on a record may read it
allow if {
	input.action.name == "read"
	rbac.permitted
}

# METADATA
# title: Who has a role on a record may write it while it is active
allow if {
	input.action.name == "write"
	claims.resource.status == "active"
	rbac.permitted
}

# METADATA
# title: Admins may write what is archived
allow if {
	input.action.name == "write"
	claims.resource.status == "archived"
	claims.subject.role == "admin"
}

# METADATA
# title: Who has a role on a record may put it aside, but not destroy it
allow if {
	input.action.name == "delete"
	input.action.properties.soft == true
	rbac.permitted
}

# METADATA
# title: What there is to do
actions := {"read", "write", "delete"} if input.resource.type == "record"
