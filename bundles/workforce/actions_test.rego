package authz_test

import rego.v2

import data.authz

test_actions_are_those_of_roles if {
	actions_on("payment") == {"prepare", "approve", "read", "grant_role"}
	actions_on("server") == {"administer", "restart", "read", "grant_role"}
}

test_actions_on_a_kind_that_no_role_names if actions_on("spaceship") == {"read", "grant_role"}

actions_on(type) := found if {
	found := authz.actions with input as {"resource": {"type": type, "id": "x"}}
}
