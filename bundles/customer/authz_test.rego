package authz_test

import rego.v2

import data.verdict.rbac

# Everything that the bundle knows how to do, and one resource of each kind.
actions := {
	"read", "update", "export", "request_deletion", "cancel_deletion", "verify", "appeal",
	"file_ticket", "process", "call", "stream", "suspend", "invite", "reschedule", "cancel",
}

resources := {
	"api:orders", "appointment:ana-eyes", "lab_result:tim-2023", "organization:acme", "plan:pro",
	"region:eu", "role:company_admin", "ticket:t-1", "title:pond", "user:ana", "user:jon", "viewer:ana",
}

# What a subject may do, as "action resource", where nothing but the policy stands in the way.
may(subject) := {sprintf("%s %s", [action, resource]) |
	some action in actions
	some resource in resources
	decided(asks_in(subject, action, resource, {"region": "eu", "active_devices": 0})).allowed
}

test_a_person_may_do_this_and_nothing_else if may("user:ana") == {
	"read user:ana", "update user:ana", "export user:ana", "request_deletion user:ana",
	"call api:orders", "file_ticket user:ana", "read ticket:t-1",
	"read appointment:ana-eyes", "reschedule appointment:ana-eyes", "cancel appointment:ana-eyes",
}

test_a_guardian_may_do_this_and_nothing_else if may("user:ben") == {"read lab_result:tim-2023"}

test_an_administrator_may_do_this_and_nothing_else if may("user:ida") == {
	"read user:jon", "update user:jon", "suspend user:jon", "invite organization:acme",
}

test_a_viewer_may_do_this_and_nothing_else if may("viewer:ana") == {"stream title:pond"}

test_a_service_may_do_this_and_nothing_else if may("service:newsletter") == {"process user:ana"}

test_an_app_may_do_this_and_nothing_else if may("app:fitbuddy") == {"process user:ana"}

test_a_person_who_is_leaving_may_do_nothing_to_others if may("user:finn") == set()

# What some rule is about, by type of resource.
rules_about := {
	"user": {
		"read", "update", "export", "request_deletion", "cancel_deletion", "verify", "appeal",
		"file_ticket", "process", "suspend",
	},
	"api": {"call"},
	"appointment": {"read", "reschedule", "cancel"},
	"lab_result": {"read"},
	"organization": {"invite"},
	"ticket": {"read"},
}

test_unknown_subjects_are_denied_with_the_reason if {
	every resource in resources {
		every action in object.get(rules_about, parsed(resource).type, {"read"}) {
			decided(asks_in("user:nobody", action, resource, {"region": "eu"})) == {
				"allowed": false,
				"reasons": {"The directory does not know the subject user:nobody."},
				"obligations": {},
			}
		}
	}
	every subject in {"service:ana", "ref:user:ana", root} {
		not decided(asks(subject, "read", "user:ana")).allowed
	}
}

test_unknown_resources_are_denied_with_the_reason if {
	every type, known_actions in rules_about {
		every action in known_actions {
			resource := sprintf("%s:gone", [type])
			decided(asks("user:ana", action, resource)) == {
				"allowed": false,
				"reasons": {sprintf("The directory does not know the resource %s.", [resource])},
				"obligations": {},
			}
		}
	}
	decided(asks_in("viewer:ana-kids", "stream", "title:gone", {"active_devices": 0})).reasons == {"The directory does not know the resource title:gone."}
}

test_what_no_rule_is_about_is_denied_with_a_reason if {
	every resource in resources {
		every action in actions - object.get(rules_about, parsed(resource).type, set()) {
			decided(asks_in("user:dina", action, resource, {"region": "eu"})) == {
				"allowed": false,
				"reasons": {sprintf("No rule lets user:dina %s %s.", [action, resource])},
				"obligations": {},
			}
		}
	}
}

test_what_a_rule_is_about_is_denied_with_its_own_reason if {
	every resource in resources {
		every action in actions & object.get(rules_about, parsed(resource).type, set()) {
			decision := decided(asks("user:dina", action, resource))
			not decision.allowed
			not sprintf("No rule lets user:dina %s %s.", [action, resource]) in decision.reasons
			count(decision.reasons) > 0
		}
	}
}

test_a_veto_is_reason_enough if {
	decided(asks("user:gina", "juggle", "plan:pro")).reasons == {"The account is suspended and may not do this."}
}

# H2

test_h2_claims_in_properties_change_no_decision if {
	claims := {
		"role": "admin", "roles": ["admin", "company_admin"], "state": "active", "owner": "user:ben",
		"grants": data.directory.user.ida.grants, "ancestors": data.directory.user.ida.ancestors,
	}
	every resource in {"user:ana", "user:jon", "ticket:t-1", "api:orders", "organization:acme"} {
		every action in {"read", "update", "call", "invite"} {
			plain := asks("user:ben", action, resource)
			claiming := json.patch(plain, [
				{"op": "replace", "path": "/subject/properties", "value": claims},
				{"op": "replace", "path": "/action/properties", "value": claims},
				{"op": "replace", "path": "/resource/properties", "value": claims},
			])
			decided(plain) == decided(claiming)
		}
	}
}

test_h2_no_workforce_resource_is_reachable if {
	every subject in {"user:ana", "user:ida", "viewer:ana", "service:newsletter"} {
		every resource in workforce_resources {
			every action in {"read", "approve"} {
				decision := decided(asks(subject, action, resource))
				not decision.allowed
				sprintf("The directory does not know the resource %s.", [resource]) in decision.reasons
			}
		}
	}
}

workforce_resources := {
	"employee_record:mina", "patient_record:p-102", "payment:p-1", "ledger:main", "document:plan",
	"course:rego-101", "repository:verdict", "department:hr", "application:accounting",
}

test_h2_not_even_if_it_were_there_and_a_role_permitted_everything if {
	everything := {
		"id": "everything", "subject": "user:ida", "role": "role:all", "scope": root,
		"not_before_ns": 0, "not_after_ns": 9223372036854775807,
	}
	powerful := object.union(data.directory.user.ida, {"grants_by_scope": {root: [everything]}})
	all := {"type": "role", "id": "all", "ref": "role:all", "permissions": {"*:*": "role:all"}}
	stray := {
		"type": "employee_record", "id": "mina", "ref": "employee_record:mina", "attributes": {"owner": "user:ida"},
		"ancestors": {"employee_record:mina": "employee_record:mina", root: root},
	}
	request := asks("user:ida", "read", "employee_record:mina")

	rbac.permitted with input as request
		with data.directory.user.ida as powerful
		with data.directory.ref["role:all"] as all
		with data.directory.employee_record.mina as stray
	decision := decided(request) with data.directory.user.ida as powerful
		with data.directory.ref["role:all"] as all
		with data.directory.employee_record.mina as stray
	decision == {
		"allowed": false,
		"reasons": {"No rule lets user:ida read employee_record:mina."},
		"obligations": {},
	}
}
