package authz_test

import rego.v2

import data.authz

# The candidates of a search for actions.
candidates(subject, resource) := found if {
	found := authz.actions with input as asks(subject, "", resource) with time.now_ns as now
}

test_candidates_by_type if {
	every subject in {"user:ines", "user:omar", "user:lee"} {
		candidates(subject, "customer_record:carla") == {"read"}
		candidates(subject, "runbook:outage") == {"read"}
		candidates(subject, "employee_record:lee") == set()
		candidates(subject, "ticket:t-1") == set()
		candidates(subject, "customer:carla") == set()
	}
}

test_candidates_of_a_customer_are_those_of_their_record if {
	candidates("customer:carla", "customer_record:carla") == {"read"}
	candidates("customer:carla", "runbook:outage") == set()
	candidates("customer:carla", "employee_record:lee") == set()
}

test_no_candidates_for_what_no_rule_is_about if {
	every subject in known {
		candidates(subject, "starship:heart-of-gold") == set()
	}
}

# Lee holds a role of this permission, on the organization.
candidates_by(permission, resource) := found if {
	held := {
		"id": "made-up", "subject": "user:lee", "role": "role:made-up", "scope": "organization:northwind",
		"not_before_ns": 0, "not_after_ns": 9223372036854775807,
	}
	lee := object.union(
		object.remove(data.directory.user.lee, ["grants_by_scope"]),
		{"grants": [held], "grants_by_scope": {"organization:northwind": [held]}},
	)
	found := candidates("user:lee", resource) with data.directory.user.lee as lee
		with data.directory.ref["role:made-up"] as {"type": "role", "permissions": {permission: "role:made-up"}}
}

test_candidates_by_a_role if {
	candidates_by("runbook:amend", "runbook:outage") == {"amend"}
	candidates_by("*:amend", "employee_record:lee") == {"amend"}
	candidates_by("runbook:amend", "employee_record:lee") == set()
	candidates_by("customer_record:amend", "customer_record:carla") == {"read"}
}

test_candidates_by_a_wildcard_for_the_action if {
	candidates_by("*:*", "runbook:outage") == {"read"}
	candidates_by("runbook:*", "runbook:outage") == {"read"}
	candidates_by("runbook:*", "employee_record:lee") == set()
}

test_what_is_allowed_is_a_candidate if {
	not_found := {[subject, action, resource] |
		some subject in {"user:ines", "user:lee", "user:omar", "customer:carla", "customer:eva"}
		some resource in known
		some action in {"read", "update", "delete", "amend"}
		open(subject, action, resource)
		not action in candidates(subject, resource)
	}
	not_found == set()
}

open(subject, action, resource) if {
	authz.allowed with input as asks_in(subject, action, resource, {"ticket": "ticket:t-1"})
		with time.now_ns as now
}
