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

bounded(id, role, from, until) := {
	"id": id, "subject": "user:mina", "role": role, "scope": fixture.root,
	"not_before_ns": from, "not_after_ns": until,
}

grant_conflicts(grants, exclusive, now) := found if {
	mina := object.union(fixture.entities.user["mail:x"], {"ref": "user:mina", "grants": grants})
	found := sod.grant_conflicts(mina, exclusive) with data.directory as fixture.directory
		with time.now_ns as now
}

always(id, role) := bounded(id, role, 0, fixture.unbounded)

test_grants_of_exclusive_roles_conflict if {
	grant_conflicts([always("a", "role:nurse"), always("b", "role:auditor")], exclusive_roles, fixture.now) == {"user:mina cannot have role:nurse by grant a and role:auditor by grant b at a time"}
	grant_conflicts([always("b", "role:nurse"), always("a", "role:auditor")], exclusive_roles, fixture.now) == {"user:mina cannot have role:auditor by grant a and role:nurse by grant b at a time"}
}

test_grants_conflict_by_roles_that_are_inherited if {
	grant_conflicts([always("a", "role:nurse"), always("b", "role:clerk")], exclusive_roles, fixture.now) == {"user:mina cannot have role:reader by grant a and role:clerk by grant b at a time"}
}

test_one_grant_of_both_roles_conflicts if {
	grant_conflicts([always("a", "role:nurse")], [["role:nurse", "role:reader"]], fixture.now) == {"user:mina cannot have role:nurse by grant a and role:reader by grant a at a time"}
}

test_grants_of_a_role_that_the_directory_does_not_know_conflict if {
	count(grant_conflicts([always("a", "role:new"), always("b", "role:nurse")], [["role:new", "role:nurse"]], fixture.now)) == 1
}

test_grants_that_exclude_nothing_do_not_conflict if {
	grant_conflicts([always("a", "role:nurse"), always("b", "role:super"), always("c", "role:nurse")], [["role:nurse", "role:auditor"]], fixture.now) == set()
	grant_conflicts([always("a", "role:nurse"), always("b", "role:nurse")], exclusive_roles, fixture.now) == set()
	grant_conflicts([], exclusive_roles, fixture.now) == set()
}

test_grants_one_after_the_other_do_not_conflict if {
	grant_conflicts([bounded("a", "role:nurse", 0, fixture.end), bounded("b", "role:auditor", fixture.end, fixture.unbounded)], exclusive_roles, fixture.now) == set()
	count(grant_conflicts([bounded("a", "role:nurse", 0, fixture.end), bounded("b", "role:auditor", fixture.end - 1, fixture.unbounded)], exclusive_roles, fixture.now)) == 1
}

test_grants_in_the_future_conflict if {
	count(grant_conflicts([bounded("a", "role:nurse", fixture.end, fixture.unbounded), bounded("b", "role:auditor", fixture.end, fixture.unbounded)], exclusive_roles, fixture.now)) == 1
}

test_a_conflict_that_is_over_is_none if {
	grants := [bounded("a", "role:nurse", 0, fixture.end), always("b", "role:auditor")]
	count(grant_conflicts(grants, exclusive_roles, fixture.end - 1)) == 1
	grant_conflicts(grants, exclusive_roles, fixture.end) == set()
}
