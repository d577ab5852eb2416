package authz_test

import rego.v2

import data.authz

# The candidates of a search for actions.
candidates(subject, resource) := found if {
	found := authz.actions with input as asks(subject, "", resource)
}

# Those that are to be expected, by the type of the resource.
expected_candidates := {
	"api": {"call"},
	"appointment": {"read", "reschedule", "cancel"},
	"lab_result": {"read"},
	"organization": {"invite"},
	"ticket": {"read"},
	"title": {"stream"},
	"user": {
		"read", "update", "export", "request_deletion", "cancel_deletion", "verify", "appeal",
		"file_ticket", "process", "suspend",
	},
}

test_candidates_by_type if {
	every resource in resources {
		every subject in {"user:ana", "viewer:ana", "service:newsletter", "user:nobody"} {
			candidates(subject, resource) == object.get(expected_candidates, parsed(resource).type, set())
		}
	}
}

test_no_candidates_for_what_no_rule_is_about if {
	every resource in workforce_resources {
		candidates("user:ida", resource) == set()
	}
}

test_every_action_is_a_candidate_somewhere if actions == {action |
	some resource in resources
	some action in candidates("user:ana", resource)
}

test_what_is_allowed_is_a_candidate if {
	not_found := {[subject, action, resource] |
		some subject in {"user:ana", "user:ida", "user:tim", "viewer:ana", "service:newsletter", "app:fitbuddy", "user:finn", "user:gina", "user:hugo"}
		some resource in resources | {subject}
		some action in actions
		open(subject, action, resource)
		not action in candidates(subject, resource)
	}
	not_found == set()
}

open(subject, action, resource) if {
	authz.allowed with input as asks_in(subject, action, resource, {"region": "eu", "active_devices": 0})
		with time.now_ns as now
}
