package invariants_test

import rego.v2

import data.verdict.invariants

violations(subjects) := found if {
	found := invariants.violations with input as {"tenant": "workforce", "subjects": subjects}
}

test_w6_the_sample_directory_has_no_conflict if {
	refs := [sprintf("user:%s", [id]) | data.directory.user[id]]
	count(refs) > 20
	violations(refs) == set()
}

test_w6_both_roles_conflict if {
	carla := object.union(data.directory.ref["user:carla"], {"grants": array.concat(data.directory.user.carla.grants, [{
		"id": "too-much", "subject": "user:carla", "role": "role:payment_approver", "scope": "department:finance",
		"not_before_ns": 0, "not_after_ns": 9223372036854775807,
	}])})
	found := violations(["user:carla"]) with data.directory.ref["user:carla"] as carla
	found == {"user:carla cannot have role:payment_preparer by grant carla-prepares and role:payment_approver by grant too-much at a time"}
}

test_w6_the_roles_that_matter_are_those_that_exclude_each_other if {
	invariants.roles == {"role:payment_preparer", "role:payment_approver"}
}

test_who_is_unknown_violates_nothing if violations(["user:nobody"]) == set()
