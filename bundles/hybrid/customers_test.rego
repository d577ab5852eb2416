package authz_test

import rego.v2

workforces := "Customers do not reach what belongs to the workforce."

own_alone := "Customers read their own record and no other."

claiming(request) := object.union(request, {"subject": {"properties": {
	"role": "admin",
	"type": "user",
	"parents": ["department:support"],
	"grants": data.directory.user.ines.grants,
}}})

test_h2_customers_read_their_own_record_unlogged if {
	every request in [
		asks("customer:carla", "read", "customer_record:carla"),
		reads("customer:carla", "customer_record:carla", "ticket:t-1"),
	] {
		decided(request) == {"allowed": true, "reasons": set(), "obligations": {}}
	}
}

test_h2_customers_read_no_other_record if {
	every record in {"customer_record:eva", "customer_record:diego"} {
		decided(asks("customer:carla", "read", record)) == denied({own_alone})
	}
}

test_h2_a_claimed_role_gains_nothing if {
	decided(claiming(asks("customer:carla", "read", "customer_record:eva"))) == denied({own_alone})
	decided(claiming(reads("customer:carla", "customer_record:eva", "ticket:t-1"))) == denied({own_alone})
	decided(claiming(asks("customer:carla", "read", "runbook:outage"))) == denied({workforces})
}

test_h2_a_claimed_owner_gains_nothing if {
	request := object.union(
		asks("customer:carla", "read", "customer_record:eva"),
		{"resource": {"properties": {"customer": "customer:carla"}}},
	)
	not decided(request).allowed
}

test_h2_customers_reach_nothing_of_the_workforce if {
	every resource in {"runbook:outage", "employee_record:lee", "department:support", "user:ines", "organization:northwind"} {
		every action in {"read", "update", "delete"} {
			decided(asks("customer:carla", action, resource)) == denied({workforces})
		}
	}
}

test_h2_not_even_by_a_grant_to_everyone if {
	open_to_all := {
		"id": "oops", "subject": root, "role": "role:employee", "scope": root,
		"not_before_ns": 0, "not_after_ns": 9223372036854775807,
	}
	granted := object.union(data.directory.customer.carla, {"grants": [open_to_all], "grants_by_scope": {root: [open_to_all]}})
	decision := decided(asks("customer:carla", "read", "runbook:outage")) with data.directory.customer.carla as granted
	decision == denied({workforces})
}

test_h2_even_their_own_record_is_out_of_reach_among_the_workforces if {
	misplaced := object.union(data.directory.customer_record.carla, {"ancestors": data.directory.runbook.outage.ancestors})
	decision := decided(asks("customer:carla", "read", "customer_record:carla")) with data.directory.customer_record.carla as misplaced
	decision == denied({workforces})
}

test_h2_a_user_of_a_customers_name_is_another if {
	not decided(asks("user:carla", "read", "customer_record:carla")).allowed
	not decided(asks("customer:ines", "read", "runbook:outage")).allowed
}

test_h2_only_a_customer_has_a_record_of_their_own if {
	staffs := changed(data.directory.customer_record.carla, {"customer": "user:lee"})
	decision := decided(asks("user:lee", "read", "customer_record:carla")) with data.directory.customer_record.carla as staffs
	not decision.allowed
}
