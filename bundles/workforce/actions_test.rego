package authz_test

import rego.v2

import data.authz

# METADATA
# title: The candidates of a search for actions
candidates(subject, resource) := found if {
	found := authz.actions with input as {
		"tenant": "workforce",
		"subject": named(subject),
		"action": {"name": "", "properties": {}},
		"resource": named(resource),
		"context": {},
	}
}

test_candidates_by_type if {
	candidates("user:nils", "app:code-hosting") == {"open"}
	candidates("user:lin", "course:biology-1") == {"grade"}
	candidates("user:stella", "course:biology-1") == {"administer"}
	candidates("user:nils", "document:handbook") == {"read"}
	candidates("user:priya", "employee_record:nils") == {"read"}
	candidates("user:ines", "salary:nils") == {"read"}
	candidates("user:stella", "grade:biology-1-ana") == {"read"}
	candidates("user:mina", "patient_record:p-102") == {"read"}
	candidates("user:omar", "patient_record:p-102") == {"read", "write"}
	candidates("user:carla", "payment:pay-1") == {"prepare"}
	candidates("user:dora", "payment:pay-1") == {"prepare"}
	candidates("user:nils", "repository:apollo-core") == {"read", "write"}
	candidates("user:stella", "school:science") == {"administer"}
	candidates("user:sam", "server:db-1") == {"administer"}
}

test_candidates_by_a_senior_role_and_by_a_wildcard_for_the_type if {
	candidates("user:vera", "leave_request:nils-summer") == {"approve", "grant_role", "read"}
	candidates("user:vera", "team:platform") == {"grant_role"}
	candidates("user:ivan", "server:db-1") == {"read", "restart"}
	candidates("user:ivan", "leave_request:nils-summer") == {"read"}
}

test_candidates_by_a_wildcard_for_the_action if {
	every type, known in authz.known_actions {
		every permission in {"*:*", sprintf("%s:*", [type])} {
			candidates_by(permission, type) == known | {"grant_role"}
		}
	}
	candidates_by("*:*", "team") == {"grant_role"}
	candidates_by("app:*", "team") == set()
}

# The room is of a kind that data alone has brought.
test_candidates_by_a_wildcard_are_what_other_roles_name if {
	candidates_by("*:*", "meeting_room") == {"book", "grant_role"}
	candidates_by("meeting_room:*", "meeting_room") == {"book", "grant_role"}
	candidates_by("app:*", "meeting_room") == set()
}

# Those of Felix with a role of this permission, on something of a type.
candidates_by(permission, type) := found if {
	felix := holding(data.directory.user.felix, [grant("user:felix", "role:made-up", "organization:acme")])
	resource := {"type": type, "id": "any", "ancestors": {"organization:acme": "organization:acme"}}
	roles := {
		"made-up": {"ref": "role:made-up", "permissions": {permission: "role:made-up"}},
		"booker": {"ref": "role:booker", "permissions": {"meeting_room:book": "role:booker"}},
	}
	found := candidates("user:felix", sprintf("%s:any", [type])) with data.directory as {
		"user": {"felix": felix},
		"role": roles,
		"ref": {role.ref: role | some role in roles},
		type: {"any": resource},
	}
}

test_no_candidates_for_what_no_role_names if {
	every person in {"user:nils", "user:mina", "user:pia", "user:ana"} {
		candidates(person, "department:engineering") == set()
		candidates(person, "starship:heart-of-gold") == set()
	}
	candidates("user:nobody", "document:handbook") == set()
	candidates("user:vera", "starship:heart-of-gold") == set()
}

# A student's own grade is read without a grant.
test_candidates_that_need_no_grant if candidates("user:ana", "grade:biology-1-ana") == {"read"}

# METADATA
# title: What is allowed is a candidate
# description: Of people as different as the directory has them, and everything that the bundle decides.
test_invariant_what_is_allowed_is_a_candidate if {
	people := {"user:vera", "user:irma", "user:sam", "user:kai", "user:pia", "user:nora", "user:ana", "user:stella"}
	not_found := {[person, action, resource] |
		some person in people
		some [action, resource] in everything
		open(person, action, resource)
		not action in candidates(person, resource)
	}
	not_found == set()
}

open(subject, action, resource) if {
	authz.allowed with input as {
		"tenant": "workforce",
		"subject": named(subject),
		"action": {"name": action, "properties": {"role": "role:team_lead", "subject": "user:nils"}},
		"resource": named(resource),
		"context": {"mfa": true, "break_glass": true},
	}
}
