package authz_test

import rego.v2

import data.authz

test_unknown_subject_denied if {
	denied_only("user:nobody", "open", "app:code-hosting", {"The directory does not know the subject user:nobody."})
}

test_unknown_resource_denied if {
	denied_only("user:nils", "open", "app:nowhere", {"The directory does not know the resource app:nowhere."})
}

test_unknown_resource_denied_under_a_grant_on_everything if {
	denied("user:pia", "read", "document:nowhere", "The directory does not know the resource document:nowhere.")
}

test_service_is_not_the_user_of_its_name if {
	denied("service:nils", "open", "app:code-hosting", "The directory does not know the subject service:nils.")
}

test_service_has_the_grants_made_to_it_and_no_kind if {
	service := object.union(
		holding(data.directory.user.nils, [grant("service:build", "role:app_user", "app:code-hosting")]),
		{"type": "service", "id": "build", "ref": "service:build"},
	)
	allowed("service:build", "open", "app:code-hosting") with data.directory.service.build as lacking(service, ["kind"])
	denied("service:build", "open", "app:ledger", "app:ledger is reserved for department:finance.") with data.directory.service.build as lacking(service, ["kind"])
}

test_ref_is_no_type if {
	not authz.allowed with input as {
		"tenant": "workforce",
		"subject": {"type": "ref", "id": "user:nils", "properties": {}},
		"action": {"name": "open", "properties": {}},
		"resource": {"type": "app", "id": "code-hosting", "properties": {}},
		"context": {},
	}
}

test_department_is_not_the_people_in_it if {
	denied(
		"department:engineering", "open", "app:code-hosting",
		"department:engineering is not active: the status is missing.",
	)
}

test_suspended_denied if {
	denied("user:gus", "open", "app:code-hosting", "user:gus is not active: the status is suspended.")
}

test_without_status_denied if {
	nils := lacking(data.directory.user.nils, ["status"])
	denied("user:nils", "open", "app:code-hosting", "user:nils is not active: the status is missing.") with data.directory.user.nils as nils
}

test_of_no_kind_denied if {
	reason := "user:nils is of no known kind: expected employee, contractor, partner or student."
	nils := data.directory.user.nils
	denied("user:nils", "open", "app:code-hosting", reason) with data.directory.user.nils as lacking(nils, ["kind"])
	denied("user:nils", "open", "app:code-hosting", reason) with data.directory.user.nils as altered(nils, {"kind": "Contractor"})
}

test_properties_give_no_rights if {
	not authz.allowed with input as {
		"tenant": "workforce",
		"subject": {"type": "user", "id": "lea", "properties": {
			"status": "active", "role": "role:hr_manager", "clearance": "top_secret",
			"grants": [grant("user:lea", "role:hr_manager", "organization:acme")],
		}},
		"action": {"name": "read", "properties": {"mfa": true}},
		"resource": {"type": "salary", "id": "nils", "properties": {"employee": "user:lea"}},
		"context": {"mfa": true},
	}
}

# METADATA
# title: Whoever is not active is denied everything
test_invariant_inactive_people_get_nothing if {
	every made in decisions_of({"user:lea", "user:gus"}) {
		made.allowed == false
	}
}

# METADATA
# title: Nobody is turned away without a reason
# description: Asked for people as different as the directory has them.
test_invariant_every_denial_has_a_reason if {
	people := {"user:vera", "user:nils", "user:lea", "user:ivan", "user:dora", "user:kai", "user:pia", "user:nora", "user:ana"}
	every made in decisions_of(people) {
		count(made.reasons) > 0
	}
}

# What some people are told about everything.
decisions_of(people) := [decision(person, action, resource, {"mfa": true}) |
	some person in people
	some [action, resource] in everything
]

everything contains [action, resource.ref] if {
	some type, actions in {
		"app": {"open"}, "document": {"read"}, "repository": {"read", "write"}, "server": {"administer"},
		"employee_record": {"read"}, "salary": {"read"}, "payment": {"prepare", "approve"},
		"patient_record": {"read", "write"}, "course": {"grade", "administer"}, "grade": {"read"},
		"leave_request": {"read", "approve"}, "department": {"grant_role"},
	}
	some action in actions
	some resource in data.directory[type]
}
