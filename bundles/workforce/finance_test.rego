package authz_test

import rego.v2

with_mfa(subject, action, resource) := decision(subject, action, resource, {"mfa": true})

test_w6_finance_opens_the_accounting_software if allowed("user:carla", "open", "app:ledger")

test_w6_engineer_in_the_accounting_software_denied if {
	denied("user:nils", "open", "app:ledger", "app:ledger is reserved for department:finance.")
}

test_w6_grant_outside_finance_does_not_open_the_accounting_software if {
	tom := holding(data.directory.user.tom, [grant("user:tom", "role:app_user", "app:ledger")])
	made := decision("user:tom", "open", "app:ledger", {}) with data.directory.user.tom as tom
	made.allowed == false
	made.reasons == {"app:ledger is reserved for department:finance."}
}

test_w6_one_prepares_another_approves if {
	with_mfa("user:carla", "prepare", "payment:pay-2").allowed
	with_mfa("user:felix", "approve", "payment:pay-1").allowed
}

test_w6_whoever_prepared_may_not_approve if {
	denied_in(
		{"mfa": true}, "user:felix", "approve", "payment:pay-2",
		`user:felix has done "prepare" on the payment and may not do "approve" as well.`,
	)
}

test_w6_whoever_prepared_with_others_may_not_approve if {
	payment := altered(data.directory.payment["pay-1"], {"duties": {"prepare": ["user:carla", "user:felix"]}})
	denied_in(
		{"mfa": true}, "user:felix", "approve", "payment:pay-1",
		`user:felix has done "prepare" on the payment and may not do "approve" as well.`,
	) with data.directory.payment["pay-1"] as payment
}

test_w6_new_payment_is_prepared if {
	payment := lacking(data.directory.payment["pay-1"], ["duties"])
	with_mfa("user:carla", "prepare", "payment:pay-1").allowed with data.directory.payment["pay-1"] as payment
}

test_w6_payment_prepared_by_nobody_knows_whom_denied if {
	payment := lacking(data.directory.payment["pay-1"], ["duties"])
	denied_in(
		{"mfa": true}, "user:felix", "approve", "payment:pay-1",
		"The payment does not say who prepared it.",
	) with data.directory.payment["pay-1"] as payment
}

test_w6_payment_prepared_by_what_is_nobody_denied if {
	every preparer in [null, "", [], {}, false, "carla", ["user:carla", "felix"], "user:gone"] {
		payment := altered(data.directory.payment["pay-1"], {"duties": {"prepare": preparer}})
		denied_in(
			{"mfa": true}, "user:felix", "approve", "payment:pay-1",
			"The payment does not say who prepared it.",
		) with data.directory.payment["pay-1"] as payment
	}
}

test_w6_holder_of_both_roles_may_use_neither if {
	reason := "Nobody may hold these roles together: role:payment_approver, role:payment_preparer."
	denied_in({"mfa": true}, "user:dora", "prepare", "payment:pay-1", reason) with data.directory.user.dora as of_both_roles
	denied_in({"mfa": true}, "user:dora", "approve", "payment:pay-1", reason) with data.directory.user.dora as of_both_roles
}

of_both_roles := holding(data.directory.user.dora, [
	grant("user:dora", "role:payment_preparer", "department:finance"),
	grant("user:dora", "role:payment_approver", "department:finance"),
])

test_w6_holder_of_one_role_after_the_other_uses_it if {
	with_mfa("user:dora", "prepare", "payment:pay-1").allowed
}

test_w6_holder_of_both_roles_may_do_other_things if {
	dora := holding(data.directory.user.dora, array.concat(
		of_both_roles.grants,
		[grant("user:dora", "role:it_admin", "department:finance")],
	))
	with_mfa("user:dora", "read", "payment:pay-1").allowed with data.directory.user.dora as dora
}

# One of the roles comes by inheritance, and on another scope.
test_w6_holding_both_roles_by_inheritance_denied if {
	senior := object.union(data.directory.ref["role:team_lead"], {"ancestors": {"role:payment_preparer": "role:payment_preparer"}})
	felix := holding(data.directory.user.felix, array.concat(
		data.directory.user.felix.grants,
		[grant("user:felix", "role:team_lead", "department:marketing")],
	))
	denied_in(
		{"mfa": true}, "user:felix", "approve", "payment:pay-1",
		"Nobody may hold these roles together: role:payment_approver, role:payment_preparer.",
	) with data.directory.user.felix as felix
		with data.directory.ref["role:team_lead"] as senior
}

test_w6_role_that_has_ended_is_not_held if {
	ended := object.union(grant("user:felix", "role:payment_preparer", "department:finance"), {"not_after_ns": 1})
	felix := holding(data.directory.user.felix, array.concat(data.directory.user.felix.grants, [ended]))
	with_mfa("user:felix", "approve", "payment:pay-1").allowed with data.directory.user.felix as felix
}
