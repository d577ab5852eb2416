package verdict.claims_test

import rego.v2

import data.verdict.claims
import data.verdict.fixture

answer(subject, resource) := found if {
	found := claims with input as fixture.asks(subject, "read", resource)
		with data.directory as fixture.directory
}

test_attributes_alone_without_properties if {
	found := answer(fixture.user("mina"), fixture.record("r1"))
	found.subject == {"title": "nurse", "limits": {"daily": 10}}
	found.resource == {"locked": true}
}

test_a_property_replaces_the_attribute_of_its_name if {
	found := answer(
		object.union(fixture.user("mina"), {"properties": {"title": "matron", "shift": "night"}}),
		object.union(fixture.record("r1"), {"properties": {"locked": false}}),
	)
	found.subject == {"title": "matron", "shift": "night", "limits": {"daily": 10}}
	found.resource == {"locked": false}
}

test_objects_are_merged if {
	subject := object.union(fixture.user("mina"), {"properties": {"limits": {"weekly": 50}}})
	answer(subject, fixture.record("r1")).subject.limits == {"daily": 10, "weekly": 50}
}

test_the_unknown_have_their_properties_alone if {
	found := answer(
		object.union(fixture.user("nobody"), {"properties": {"title": "matron"}}),
		object.union(fixture.record("r9"), {"properties": {"owner": "user:nobody"}}),
	)
	found.subject == {"title": "matron"}
	found.resource == {"owner": "user:nobody"}
}
