package authz_test

import rego.v2

import data.authz

test_actions_are_those_of_roles if {
	actions_on("runbook") == {"read"}
	actions_on("spaceship") == set()
}

# METADATA
# title: No role says what customers may do
test_customers_have_an_action_without_a_role if {
	actions_on("customer_record") == {"read"} with data.directory.role as {}
}

actions_on(type) := found if {
	found := authz.actions with input as {"resource": {"type": type, "id": "x"}}
}
