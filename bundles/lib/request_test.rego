package verdict.request_test

import rego.v2

import data.verdict.fixture
import data.verdict.request

answer(subject, resource) := found if {
	found := request with input as fixture.asks(subject, "read", resource)
		with data.directory as fixture.directory
}

test_known_subject_and_resource if {
	found := answer(fixture.user("mina"), fixture.record("r1"))
	found.subject.ref == "user:mina"
	found.subject_known == true
	found.resource.ref == "record:r1"
	found.resource_known == true
}

test_unknown_subject_and_resource if {
	found := answer(fixture.user("nobody"), fixture.record("r9"))
	not found.subject
	found.subject_known == false
	not found.resource
	found.resource_known == false
}

test_refs_are_there_whether_known_or_not if {
	found := answer(fixture.user("nobody"), fixture.record("r9"))
	found.subject_ref == "user:nobody"
	found.resource_ref == "record:r9"
	found.root == fixture.root
}

test_a_service_is_not_the_user_of_its_name if {
	answer({"type": "service", "id": "mina"}, fixture.record("r1")).subject_known == false
}

test_an_id_may_hold_colons if {
	answer(fixture.user("mail:x"), fixture.record("r1")).subject.id == "mail:x"
}

test_the_type_ref_finds_nobody if {
	found := answer({"type": "ref", "id": "user:mina"}, {"type": "ref", "id": "record:r1"})
	found.subject_known == false
	found.resource_known == false
}

test_a_type_cannot_borrow_from_the_id if {
	answer({"type": "user:mail", "id": "x"}, fixture.record("r1")).subject_known == false
}

test_strange_types_and_ids_are_unknown if {
	every type in ["", "*", "tenant", "user ", "USER"] {
		every id in ["", "*", "hospital", "mina"] {
			answer({"type": type, "id": id}, fixture.record("r1")).subject_known == false
		}
	}
}
