package authz_test

import rego.v2

import data.authz
import data.verdict.rbac

explicit_grant_wanted := "HR data takes a grant that names an HR role, its holder and a part of the organization."

test_w1_hr_associate_reads_employee_records if {
	allowed("user:priya", "read", "employee_record:nils")
	allowed("user:priya", "read", "employee_record:tom")
}

test_w1_hr_associate_in_financial_systems_denied if {
	denied("user:priya", "open", "app:ledger", "app:ledger is reserved for department:finance.")
	denied(
		"user:priya", "prepare", "payment:pay-1",
		"No grant in force gives user:priya the permission payment:prepare on payment:pay-1.",
	)
}

test_w1_engineer_in_employee_records_denied if {
	denied(
		"user:nils", "read", "employee_record:nils",
		"No grant in force gives user:nils the permission employee_record:read on employee_record:nils.",
	)
}

test_w3_it_admin_with_grant_reads_hr_data if {
	allowed("user:irma", "read", "employee_record:nils")
}

test_w3_it_admin_outside_the_grant_denied if {
	denied("user:irma", "read", "employee_record:tom", explicit_grant_wanted)
}

test_w3_it_admin_without_grant_denied if {
	denied("user:ivan", "read", "employee_record:nils", explicit_grant_wanted)
	denied("user:ivan", "read", "salary:nils", explicit_grant_wanted)
}

# Ivan's role inherits an HR role and reads everything by a wildcard: what turns
# him away is nothing but the missing explicit grant.
test_w3_inherited_role_would_permit_but_does_not if {
	rbac.permits("role:it_admin", "employee_record", "read")
	made := decision("user:ivan", "read", "employee_record:nils", {})
	made.reasons == {
		"No grant in force gives user:ivan the permission employee_record:read on employee_record:nils.",
		explicit_grant_wanted,
	}
}

# The role that inherits it would have let her in everywhere.
test_w3_the_explicit_grant_alone_is_cited if {
	decision("user:irma", "read", "employee_record:nils", {}).reasons == {"Granted by irma-hr-engineering: role:hr_associate on department:engineering."}
}

test_w3_grant_that_has_ended_denied if {
	ended := object.union(
		grant("user:irma", "role:hr_associate", "department:engineering"),
		{"id": "last-year", "not_after": "2023-01-01T00:00:00Z", "not_after_ns": 1672531200000000000},
	)
	irma := holding(data.directory.user.irma, [grant("user:irma", "role:it_admin", "organization:acme"), ended])
	denied("user:irma", "read", "employee_record:nils", "Grant last-year ended at 2023-01-01T00:00:00Z.") with data.directory.user.irma as irma
}

test_w3_any_action_on_hr_data_takes_the_grant if {
	ivan := holding(data.directory.user.ivan, [grant("user:ivan", "role:it_admin", "organization:acme")])
	role := object.union(data.directory.ref["role:it_admin"], {"permissions": {"*:*": "role:it_admin"}})
	denied("user:ivan", "export", "employee_record:nils", explicit_grant_wanted) with data.directory.user.ivan as ivan
		with data.directory.ref["role:it_admin"] as role
}

test_w3_hr_role_by_a_wildcard_is_not_explicit if {
	role := object.union(
		object.remove(data.directory.ref["role:hr_associate"], ["permissions"]),
		{"permissions": {"employee_record:*": "role:hr_associate"}},
	)
	denied("user:irma", "read", "employee_record:nils", explicit_grant_wanted) with data.directory.ref["role:hr_associate"] as role
}

test_w3_hr_role_for_everyone_or_everywhere_is_not_explicit if {
	root := "tenant:workforce"
	ivan := data.directory.user.ivan
	everyone := holding(ivan, [grant(root, "role:hr_associate", "department:engineering")])
	everywhere := holding(ivan, [grant("user:ivan", "role:hr_associate", root)])
	department := holding(ivan, [grant("department:it", "role:hr_associate", "department:engineering")])
	denied("user:ivan", "read", "employee_record:nils", explicit_grant_wanted) with data.directory.user.ivan as everyone
	denied("user:ivan", "read", "employee_record:nils", explicit_grant_wanted) with data.directory.user.ivan as everywhere
	allowed("user:ivan", "read", "employee_record:nils") with data.directory.user.ivan as department
}

# METADATA
# title: Whoever reads HR data holds a grant of an HR role that covers it
test_invariant_hr_data_only_by_hr_roles if {
	readers := {[user.ref, resource.ref] |
		some user in data.directory.user
		some type in authz.hr_types
		some resource in data.directory[type]
		decision(user.ref, "read", resource.ref, {"mfa": true}).allowed
	}
	readers == {
		["user:priya", "employee_record:nils"], ["user:priya", "employee_record:tom"],
		["user:irma", "employee_record:nils"],
		["user:ines", "employee_record:nils"], ["user:ines", "salary:nils"],
	}
}

test_w4_hr_manager_sees_salaries_in_their_department if {
	decision("user:ines", "read", "salary:nils", {"mfa": true}).allowed
}

test_w4_hr_manager_in_another_department_denied if {
	denied_in(
		{"mfa": true}, "user:ines", "read", "salary:tom",
		"No grant in force gives user:ines the permission salary:read on salary:tom.",
	)
}

test_w4_hr_associate_in_salaries_denied if {
	denied_in({"mfa": true}, "user:priya", "read", "salary:nils", explicit_grant_wanted)
}

# Nils moves to marketing, and his salary with him.
test_w4_salary_of_someone_who_left_the_department_denied if {
	salary := object.union(data.directory.salary.tom, {"id": "nils", "ref": "salary:nils"})
	denied_in(
		{"mfa": true}, "user:ines", "read", "salary:nils",
		"No grant in force gives user:ines the permission salary:read on salary:nils.",
	) with data.directory.salary.nils as salary
}
