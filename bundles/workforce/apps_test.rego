package authz_test

import rego.v2

test_w10_engineer_gets_code_hosting_by_department if allowed("user:nils", "open", "app:code-hosting")

test_w10_marketer_gets_the_marketing_apps_by_department if {
	allowed("user:tom", "open", "app:campaigns")
	allowed("user:tom", "open", "app:audience")
}

test_w10_apps_of_another_department_denied if {
	denied(
		"user:nils", "open", "app:campaigns",
		"No grant in force gives user:nils the permission app:open on app:campaigns.",
	)
	denied(
		"user:tom", "open", "app:code-hosting",
		"No grant in force gives user:tom the permission app:open on app:code-hosting.",
	)
}

# Whoever joins a department has what those in it have, and not a grant of their own.
test_w10_joiner_gets_the_apps_of_their_department if {
	joiner := object.union(data.directory.user.nils, {"id": "june", "ref": "user:june"})
	allowed("user:june", "open", "app:code-hosting") with data.directory.user.june as joiner
	count([own | some own in joiner.grants; own.subject in {"user:nils", "user:june"}]) == 0
}

test_w10_mover_gets_the_new_and_loses_the_old if {
	allowed("user:nils", "open", "app:campaigns") with data.directory.user.nils as moved_to_marketing
	denied(
		"user:nils", "open", "app:code-hosting",
		"No grant in force gives user:nils the permission app:open on app:code-hosting.",
	) with data.directory.user.nils as moved_to_marketing
}

# Nils as the directory shows him once his parent is Tom's.
moved_to_marketing := object.union(data.directory.user.tom, {"id": "nils", "ref": "user:nils"})

test_w10_mover_loses_a_reserved_app_granted_in_person if {
	tom := holding(data.directory.user.tom, [grant("user:tom", "role:app_user", "app:ledger")])
	denied("user:tom", "open", "app:ledger", "app:ledger is reserved for department:finance.") with data.directory.user.tom as tom
}

# Lea is still in her team, with everything that comes with it.
test_w10_leaver_gets_nothing if {
	some inherited in data.directory.user.lea.grants
	inherited.id == "engineering-code-hosting"
	made := decision("user:lea", "open", "app:code-hosting", {})
	made.allowed == false
	made.reasons == {"user:lea is not active: the status is offboarded."}
}
