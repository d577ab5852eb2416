package authz_test

import rego.v2

test_h2_the_workforce_uses_what_is_its_own if {
	decided(asks("user:ines", "read", "runbook:outage")).allowed
	decided(asks("user:lee", "read", "runbook:outage")).allowed
}

test_h2_the_workforce_does_what_its_roles_permit_alone if {
	decided(asks("user:ines", "update", "runbook:outage")) == denied({"No role of the subject permits this here."})
	not decided(asks("user:ines", "read", "employee_record:lee")).allowed
}

test_h2_a_role_for_everyone_is_no_way_to_a_customers_record if {
	every agent in {"user:ines", "user:lee"} {
		not decided(asks(agent, "read", "customer_record:carla")).allowed
	}
}

test_h2_a_service_needs_a_rule_of_its_own if {
	desk := {
		"type": "service", "id": "desk", "ref": "service:desk", "attributes": {},
		"grants_by_scope": data.directory.user.ines.grants_by_scope,
	}
	decision := decided(asks("service:desk", "read", "runbook:outage")) with data.directory.service.desk as desk
	decision == denied({"No rule lets service:desk read runbook:outage."})
}
