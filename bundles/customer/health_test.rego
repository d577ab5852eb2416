package authz_test

import rego.v2

no_access := "Only the patient, or a guardian of the patient, has access."

came_of_age := time.parse_rfc3339_ns("2033-06-15T00:00:00Z")

born(day) := changed(data.directory.user.tim, {"birth_date": day})

test_c7_patients_see_and_manage_their_own if {
	decided(asks("user:ana", "read", "lab_result:ana-2023")).allowed
	every action in {"read", "reschedule", "cancel"} {
		decided(asks("user:ana", action, "appointment:ana-eyes")).allowed
	}
}

test_c7_a_minor_sees_their_own_too if decided(asks("user:tim", "read", "lab_result:tim-2023")).allowed

test_c7_strangers_see_nothing if {
	decided(asks("user:ben", "read", "lab_result:ana-2023")) == {
		"allowed": false,
		"reasons": {no_access},
		"obligations": {},
	}
	not decided(asks("user:ana", "cancel", "appointment:tim-teeth")).allowed
}

test_c7_a_guardian_acts_for_a_child if {
	decided(asks("user:ben", "read", "lab_result:tim-2023")).allowed
	decided(asks("user:ben", "cancel", "appointment:tim-teeth")).allowed
}

test_c7_guardianship_ends_as_the_child_comes_of_age if {
	request := asks("user:ben", "read", "lab_result:tim-2023")
	decided_at(request, came_of_age - 1).allowed
	decided_at(request, came_of_age) == {
		"allowed": false,
		"reasons": {"user:tim decides for themself: the guardianship has ended."},
		"obligations": {},
	}
}

test_c7_a_grown_child_decides_alone if {
	decided(asks("user:mila", "read", "lab_result:mila-2023")).allowed
	not decided(asks("user:ana", "read", "lab_result:mila-2023")).allowed
}

test_c7_born_on_29_february_is_of_age_on_1_march if {
	request := asks("user:ben", "read", "lab_result:tim-2023")
	leap := born("2008-02-29")

	eve := decided_at(request, time.parse_rfc3339_ns("2026-02-28T23:59:59Z")) with data.directory.ref["user:tim"] as leap
	eve.allowed

	day := decided_at(request, time.parse_rfc3339_ns("2026-03-01T00:00:00Z")) with data.directory.ref["user:tim"] as leap
	not day.allowed
}

test_c7_a_court_prolongs_a_guardianship if decided(asks("user:ana", "read", "lab_result:noah-2023")).allowed

test_c7_a_court_ends_a_guardianship_early if {
	emancipated := changed(data.directory.user.tim, {"guardianship_until": "2026-01-15"})
	request := asks("user:ben", "read", "lab_result:tim-2023")

	before := decided_at(request, time.parse_rfc3339_ns("2026-01-14T23:59:59Z")) with data.directory.ref["user:tim"] as emancipated
	before.allowed

	after := decided_at(request, time.parse_rfc3339_ns("2026-01-15T00:00:00Z")) with data.directory.ref["user:tim"] as emancipated
	not after.allowed
}

test_c7_a_child_of_unknown_age_has_no_guardian if {
	ageless := json.remove(data.directory.user.tim, ["attributes/birth_date"])
	decision := decided(asks("user:ben", "read", "lab_result:tim-2023")) with data.directory.ref["user:tim"] as ageless
	not decision.allowed
}

test_c7_a_guardian_changes_no_result if {
	decided(asks("user:ben", "update", "lab_result:tim-2023")).reasons == {"No rule lets user:ben update lab_result:tim-2023."}
}

test_c7_a_guardian_is_a_person_not_a_service if not decided(asks("service:ben", "read", "lab_result:tim-2023")).allowed

test_c7_a_result_is_read_and_nothing_else if {
	decided(asks("user:ana", "update", "lab_result:ana-2023")).reasons == {"No rule lets user:ana update lab_result:ana-2023."}
}
