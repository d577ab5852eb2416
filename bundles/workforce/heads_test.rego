# That a head's rights reach everything below (W11) takes no rule: it is a grant
# on the division, of a role that inherits the department head's.
package authz_test

import rego.v2

test_w11_department_head_approves_in_their_department if {
	allowed("user:dan", "approve", "leave_request:nils-summer")
}

test_w11_division_head_approves_in_every_department_and_team_below if {
	allowed("user:vera", "approve", "leave_request:nils-summer")
	allowed("user:vera", "approve", "leave_request:ivan-winter")
}

# METADATA
# title: What the department head's role permits, the division head's does
test_w11_division_head_may_whatever_a_department_head_may if {
	every permission, _ in data.directory.ref["role:department_head"].permissions {
		permission in object.keys(data.directory.ref["role:division_head"].permissions)
	}
}

test_w11_peer_division_head_denied if {
	denied(
		"user:oscar", "approve", "leave_request:nils-summer",
		"No grant in force gives user:oscar the permission leave_request:approve on leave_request:nils-summer.",
	)
	denied(
		"user:vera", "approve", "leave_request:tom-spring",
		"No grant in force gives user:vera the permission leave_request:approve on leave_request:tom-spring.",
	)
}

test_w11_peer_department_head_denied if {
	denied(
		"user:dan", "approve", "leave_request:ivan-winter",
		"No grant in force gives user:dan the permission leave_request:approve on leave_request:ivan-winter.",
	)
}

test_w11_member_of_the_division_denied if {
	denied(
		"user:nils", "approve", "leave_request:nils-summer",
		"No grant in force gives user:nils the permission leave_request:approve on leave_request:nils-summer.",
	)
}
