package verdict.sod_test

import rego.v2

import data.verdict.fixture
import data.verdict.sod

roles_held(subject, now) := found if {
	found := sod.roles_held(subject) with data.directory as fixture.directory
		with time.now_ns as now
}

exclusive_roles := [["role:nurse", "role:auditor"], ["role:reader", "role:clerk", "role:super"]]

exclusive_duties := [["prepare", "approve"], ["approve", "pay"]]

payment := {"attributes": {"duties": {"prepare": "user:mina", "pay": ["user:kim", "user:olga"]}}}

conflicts(subject, duty) := sod.duty_conflicts({"ref": subject}, payment, duty, exclusive_duties)

test_roles_held_are_granted_and_inherited if {
	roles_held(fixture.entities.user.mina, fixture.now) == {"role:nurse", "role:reader"}
	roles_held(fixture.entities.user["mail:x"], fixture.now) == set()
}

test_roles_held_end_with_their_grants if {
	roles_held(fixture.entities.user.mina, fixture.end - 1) == {"role:nurse", "role:reader"}
	roles_held(fixture.entities.user.mina, fixture.end) == set()
}

test_a_role_that_the_directory_does_not_know_is_held if {
	grant := object.union(fixture.rota, {"role": "role:ghost"})
	roles_held({"grants": [grant]}, fixture.now) == {"role:ghost"}
}

test_exclusive_roles_conflict if {
	held := roles_held(fixture.entities.user.mina, fixture.now)
	sod.role_conflicts(held, exclusive_roles) == set()
	sod.role_conflicts(held | {"role:auditor"}, exclusive_roles) == {{"role:nurse", "role:auditor"}}
	sod.role_conflicts(held | {"role:clerk"}, exclusive_roles) == {{"role:reader", "role:clerk"}}
}

test_who_prepared_may_not_approve if {
	conflicts("user:mina", "approve") == {"prepare"}
	conflicts("user:kim", "approve") == {"pay"}
	conflicts("user:max", "approve") == set()
}

test_who_has_done_a_duty if {
	sod.done_by(payment, "prepare") == {"user:mina"}
	sod.done_by(payment, "pay") == {"user:kim", "user:olga"}
	sod.done_by(payment, "approve") == set()
	sod.done_by({"attributes": {"duties": {"pay": null}}}, "pay") == set()
	sod.done_by({"attributes": {}}, "pay") == set()
}

test_a_duty_may_be_repeated_by_the_same_hand if conflicts("user:mina", "prepare") == set()

test_duties_that_do_not_exclude_each_other if conflicts("user:mina", "pay") == set()

test_nothing_done_yet if {
	sod.duty_conflicts({"ref": "user:mina"}, {"attributes": {}}, "approve", exclusive_duties) == set()
}
