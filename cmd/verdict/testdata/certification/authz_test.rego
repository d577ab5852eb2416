package authz_test

import rego.v2

import data.authz

request(subject, action, resource) := {
	"tenant": "default",
	"subject": object.union({"type": "user", "properties": {}}, subject),
	"action": object.union({"properties": {}}, action),
	"resource": object.union({"type": "record", "properties": {}}, resource),
	"context": {},
}

test_rules_by_identifiers if {
	allowed := {[subject, action] |
		some subject in ["alice", "bob"]
		some action in ["read", "write"]
		authz.allow with input as request({"id": subject}, {"name": action}, {"id": "record-1"})
	}
	allowed == {["alice", "read"], ["alice", "write"], ["bob", "read"]}
}

test_an_archived_record_is_for_admins if {
	record := {"id": "record-2", "properties": {"status": "archived"}}
	not authz.allow with input as request({"id": "alice"}, {"name": "write"}, record)
	authz.allow with input as request({"id": "bob", "properties": {"role": "admin"}}, {"name": "write"}, record)
}

test_a_delete_is_soft if {
	authz.allow with input as request({"id": "alice"}, {"name": "delete", "properties": {"soft": true}}, {"id": "record-1"})
	not authz.allow with input as request({"id": "alice"}, {"name": "delete", "properties": {"soft": false}}, {"id": "record-1"})
	not authz.allow with input as request({"id": "alice"}, {"name": "delete"}, {"id": "record-1"})
}

test_actions_are_those_of_records if {
	authz.actions == {"read", "write", "delete"} with input as request({"id": "alice"}, {"name": ""}, {"id": "record-1"})
	not authz.actions with input as request({"id": "alice"}, {"name": ""}, {"type": "spaceship", "id": "record-1"})
}
