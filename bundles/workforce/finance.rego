# Payments: who prepares one and who approves it are two people (W6).
package authz

import rego.v2

import data.verdict.request
import data.verdict.sod

# METADATA
# title: Duties that one person may not do on the same payment
exclusive_duties := [["prepare", "approve"]]

# METADATA
# title: Roles that one person may not hold together
exclusive_roles := [["role:payment_preparer", "role:payment_approver"]]

# METADATA
# title: Whoever has done one duty may not do the other
deny contains sprintf("%s has done %q on the payment and may not do %q as well.", [
	request.subject_ref,
	done,
	input.action.name,
]) if {
	input.resource.type == "payment"
	some done in sod.duty_conflicts(request.subject, request.resource, input.action.name, exclusive_duties)
}

# METADATA
# title: A payment is approved only if it is known who prepared it
deny contains "The payment does not say who prepared it." if {
	input.resource.type == "payment"
	input.action.name == "approve"
	not preparers_known
}

# METADATA
# title: The directory knows everybody who prepared the payment
# description: >-
#   A name that is nobody's ref, such as "kim" for "user:kim", would keep nobody
#   from approving.
preparers_known if {
	preparers := sod.done_by(request.resource, "prepare")
	count(preparers) > 0
	every preparer in preparers {
		data.directory.ref[preparer].type
	}
}

# METADATA
# title: Whoever holds both roles may use neither
deny contains sprintf("Nobody may hold these roles together: %s.", [concat(", ", conflict)]) if {
	input.resource.type == "payment"
	some duties in exclusive_duties
	input.action.name in duties
	some conflict in sod.role_conflicts(sod.roles_held(request.subject), exclusive_roles)
}
