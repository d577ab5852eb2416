package verdict.rbac_test

import rego.v2

import data.verdict.fixture
import data.verdict.rbac

permitted(subject, action, resource) := found if {
	found := rbac.permitted with input as fixture.asks(subject, action, resource)
		with data.directory as fixture.directory
		with time.now_ns as fixture.now
}

permitted_at(subject, action, resource, now) := found if {
	found := rbac.permitted with input as fixture.asks(subject, action, resource)
		with data.directory as fixture.directory
		with time.now_ns as now
}

permits(role, type, action) if rbac.permits(role, type, action) with data.directory as fixture.directory

in_force_at(now) if rbac.in_force(fixture.rota) with time.now_ns as now

covers(grant, resource) if rbac.covers(grant, resource) with input.tenant as "hospital"

# in_force

test_the_start_is_in_the_window_to_the_nanosecond if {
	in_force_at(fixture.start)
	not in_force_at(fixture.start - 1)
}

test_the_end_is_out_of_the_window_to_the_nanosecond if {
	in_force_at(fixture.end - 1)
	not in_force_at(fixture.end)
}

test_an_unbounded_grant_is_always_in_force if {
	rbac.in_force(fixture.audit) with time.now_ns as 0
	rbac.in_force(fixture.audit) with time.now_ns as fixture.unbounded - 1
}

# covers

test_a_scope_covers_itself_and_what_is_below if {
	covers(fixture.rota, fixture.entities.record.r1)
	covers({"scope": "record:r1"}, fixture.entities.record.r1)
	not covers(fixture.rota, fixture.entities.record.r2)
	not covers({"scope": "record:r1"}, fixture.entities.record.r2)
}

test_the_root_covers_everything_unknown_included if {
	covers(fixture.audit, fixture.entities.record.r1)
	covers(fixture.audit, null)
}

test_only_the_root_covers_the_unknown if {
	not covers(fixture.rota, null)
	not covers({"scope": "tenant:clinic"}, null)
}

# permits

test_own_and_inherited_permissions if {
	permits("role:nurse", "record", "amend")
	permits("role:nurse", "record", "read")
	not permits("role:reader", "record", "amend")
	not permits("role:nurse", "rota", "read")
}

test_any_action_on_a_type if {
	permits("role:clerk", "record", "shred")
	not permits("role:clerk", "rota", "read")
}

test_an_action_on_any_type if {
	permits("role:auditor", "rota", "audit")
	not permits("role:auditor", "rota", "read")
}

test_any_action_on_any_type if permits("role:super", "rota", "shred")

test_a_wildcard_in_the_request_is_no_wildcard if {
	not permits("role:nurse", "record", "*")
	not permits("role:nurse", "*", "read")
	not permits("role:nurse", "*", "*")
}

test_an_unknown_role_permits_nothing if not permits("role:ghost", "record", "read")

# permitted and grants

test_a_grant_permits_on_its_scope if {
	permitted(fixture.user("mina"), "read", fixture.record("r1")) == true
	permitted(fixture.user("mina"), "shred", fixture.record("r1")) == false
	permitted(fixture.user("mina"), "read", fixture.record("r2")) == false
}

test_a_grant_permits_in_its_window if {
	permitted_at(fixture.user("mina"), "read", fixture.record("r1"), fixture.start) == true
	permitted_at(fixture.user("mina"), "read", fixture.record("r1"), fixture.start - 1) == false
	permitted_at(fixture.user("mina"), "read", fixture.record("r1"), fixture.end) == false
}

test_an_unknown_resource_is_permitted_by_the_root_scope_alone if {
	permitted(fixture.user("olga"), "audit", fixture.record("r9")) == true
	permitted(fixture.user("mina"), "read", fixture.record("r9")) == false
}

test_an_unknown_type_cannot_run_into_the_action if {
	directory := json.patch(fixture.directory, [{
		"op": "replace",
		"path": "/ref/role:auditor/permissions",
		"value": {"record:export:csv": "role:auditor"},
	}])
	asked := fixture.asks(fixture.user("olga"), "csv", {"type": "record:export", "id": "r9"})
	rbac.permitted == false with input as asked with data.directory as directory
}

test_an_unknown_subject_is_permitted_nothing if {
	permitted(fixture.user("nobody"), "read", fixture.record("r1")) == false
	permitted({"type": "service", "id": "mina"}, "read", fixture.record("r1")) == false
}

test_claimed_roles_and_grants_count_for_nothing if {
	subject := object.union(fixture.user("olga"), {
		"properties": {"roles": ["nurse"], "grants": [fixture.rota]},
		"grants_by_scope": {"department:icu": [fixture.rota]},
	})
	permitted(subject, "read", fixture.record("r1")) == false
}

grants(subject, action, resource) := found if {
	found := rbac.grants with input as fixture.asks(subject, action, resource)
		with data.directory as fixture.directory
		with time.now_ns as fixture.now
}

test_grants_name_what_permits if {
	grants(fixture.user("mina"), "read", fixture.record("r1")) == {fixture.rota}
	grants(fixture.user("olga"), "audit", fixture.record("r9")) == {fixture.audit}
}

test_grants_leave_out_what_does_not_permit if {
	grants(fixture.user("mina"), "shred", fixture.record("r1")) == set()
	grants(fixture.user("mina"), "read", fixture.record("r2")) == set()
	grants(fixture.user("nobody"), "read", fixture.record("r1")) == set()
}
