package verdict.rbac_test

import rego.v2

import data.verdict.fixture
import data.verdict.rbac

# names

names(role, type) := found if {
	found := rbac.names(role, type) with data.directory as fixture.directory
}

names_of(permissions, type) := found if {
	held := {permission: "role:made-up" | some permission in permissions}
	found := rbac.names("role:made-up", type) with data.directory as {"ref": {"role:made-up": {"permissions": held}}}
}

test_own_and_inherited_actions_are_named if {
	names("role:nurse", "record") == {"amend", "read"}
	names("role:reader", "record") == {"read"}
}

test_an_action_on_any_type_is_named_for_each if {
	names("role:auditor", "record") == {"audit"}
	names("role:auditor", "rota") == {"audit"}
}

test_another_types_actions_are_not_named if {
	names("role:nurse", "rota") == set()
	names("role:nurse", "rec") == set()
	names("role:nurse", "records") == set()
	names("role:nurse", "") == set()
}

test_a_wildcard_names_no_action if {
	names("role:clerk", "record") == set()
	names("role:super", "record") == set()
}

test_an_unknown_role_names_nothing if names("role:ghost", "record") == set()

test_an_action_has_a_name if names_of({"record:", "*:", "record", ":read", ""}, "record") == set()

test_colons_are_read_as_permits_reads_them if {
	permissions := {"record:export:csv", "record:record:read"}
	names_of(permissions, "record") == {"export:csv", "record:read"}
	names_of(permissions, "record:export") == {"csv"}
}

test_what_is_named_is_permitted if {
	every role in {"role:nurse", "role:reader", "role:auditor"} {
		every type in {"record", "rota"} {
			every action in {"amend", "audit", "read", "shred"} {
				{true | permits(role, type, action)} == {true | action in names(role, type)}
			}
		}
	}
}

# actions and any_action

actions(subject, resource) := actions_at(subject, resource, fixture.now)

actions_at(subject, resource, now) := found if {
	found := rbac.actions with input as fixture.asks(subject, "", resource)
		with data.directory as fixture.directory
		with time.now_ns as now
}

any_action(subject, resource) := found if {
	found := rbac.any_action with input as fixture.asks(subject, "", resource)
		with data.directory as fixture.directory
		with time.now_ns as fixture.now
}

# What Olga has, with a role on everything.
held(role, resource) := found if {
	grant := object.union(fixture.audit, {"role": role})
	olga := object.union(fixture.entities.user.olga, fixture.holding([grant]))
	found := opened with input as fixture.asks(fixture.user("olga"), "", resource)
		with data.directory as object.union(fixture.directory, {"user": {"olga": olga}})
		with time.now_ns as fixture.now
}

opened := {"any_action": rbac.any_action, "actions": rbac.actions}

test_actions_on_the_scope_of_a_grant if {
	actions(fixture.user("mina"), fixture.record("r1")) == {"amend", "read"}
	actions(fixture.user("mina"), fixture.record("r2")) == set()
}

test_actions_in_the_window_of_a_grant if {
	actions_at(fixture.user("mina"), fixture.record("r1"), fixture.start) == {"amend", "read"}
	actions_at(fixture.user("mina"), fixture.record("r1"), fixture.start - 1) == set()
	actions_at(fixture.user("mina"), fixture.record("r1"), fixture.end) == set()
}

test_actions_on_an_unknown_resource_are_the_root_scopes if {
	actions(fixture.user("olga"), fixture.record("r9")) == {"audit"}
	actions(fixture.user("olga"), {"type": "a:b", "id": "r9"}) == set()
	actions(fixture.user("mina"), fixture.record("r9")) == set()
}

test_an_unknown_subject_has_no_actions if {
	actions(fixture.user("nobody"), fixture.record("r1")) == set()
	any_action(fixture.user("nobody"), fixture.record("r1")) == false
}

test_actions_are_those_that_are_permitted if {
	every subject in {fixture.user("mina"), fixture.user("olga"), fixture.user("nobody")} {
		every resource in {fixture.record("r1"), fixture.record("r2"), fixture.record("r9")} {
			actions(subject, resource) == {action |
				some action in {"amend", "audit", "read", "shred"}
				permitted(subject, action, resource)
			}
		}
	}
}

test_any_action_takes_a_wildcard_for_the_action if {
	held("role:clerk", fixture.record("r1")).any_action == true
	held("role:super", fixture.record("r1")).any_action == true
	held("role:auditor", fixture.record("r1")).any_action == false
	held("role:nurse", fixture.record("r1")).any_action == false
}

test_any_action_is_on_the_type_alone if {
	held("role:clerk", {"type": "rota", "id": "1"}).any_action == false
	held("role:super", {"type": "rota", "id": "1"}).any_action == true
}

test_a_wildcard_opens_what_any_role_names if {
	held("role:clerk", fixture.record("r1")).actions == {"amend", "audit", "read"}
	held("role:super", fixture.record("r1")).actions == {"amend", "audit", "read"}
	held("role:super", {"type": "rota", "id": "1"}).actions == {"audit"}
	held("role:clerk", {"type": "rota", "id": "1"}).actions == set()
	held("role:nurse", fixture.record("r1")).actions == {"amend", "read"}
}
