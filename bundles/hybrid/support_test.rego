package authz_test

import rego.v2

no_ticket := "context.ticket must name an open ticket of this customer that is assigned to the agent."

no_role := "Customers' records are read by agents with a support role."

reads(agent, record, ticket) := asks_in(agent, "read", record, {"ticket": ticket})

denied(reasons) := {"allowed": false, "reasons": reasons, "obligations": {}}

withdrawn_at := time.parse_rfc3339_ns("2023-10-05T16:00:00Z")

helped_out_until := time.parse_rfc3339_ns("2023-01-01T00:00:00Z")

test_h1_an_agent_with_role_ticket_and_consent_reads_and_logs if {
	decided(reads("user:ines", "customer_record:carla", "ticket:t-1")) == {
		"allowed": true,
		"reasons": set(),
		"obligations": {"log": {"event": "customer_record_read", "customer": "customer:carla", "ticket": "ticket:t-1"}},
	}
}

test_h1_without_a_ticket_nothing_is_read if {
	decided(asks("user:ines", "read", "customer_record:carla")) == denied({no_ticket})
}

test_h1_a_closed_ticket_is_none if {
	decided(reads("user:ines", "customer_record:eva", "ticket:t-3")) == denied({no_ticket})
}

test_h1_another_agents_ticket_is_none if {
	decided(reads("user:omar", "customer_record:carla", "ticket:t-1")) == denied({no_ticket})
}

test_h1_another_customers_ticket_is_none if {
	decided(reads("user:ines", "customer_record:eva", "ticket:t-1")) == denied({no_ticket})
}

test_h1_what_is_no_ticket_is_none if {
	forged := {"type": "runbook", "id": "outage", "ref": "runbook:outage", "attributes": data.directory.ticket["t-1"].attributes}
	decision := decided(reads("user:ines", "customer_record:carla", "runbook:outage")) with data.directory.ref["runbook:outage"] as forged
	decision == denied({no_ticket})
	every ticket in ["ticket:gone", "t-1", "", null, 1, true, ["ticket:t-1"], data.directory.ticket["t-1"]] {
		decided(reads("user:ines", "customer_record:carla", ticket)) == denied({no_ticket})
	}
}

test_h1_withdrawn_consent_denies if {
	request := reads("user:ines", "customer_record:diego", "ticket:t-2")
	decided(request) == denied({"customer:diego has not consented to support, or the consent has ended."})
	decided_at(request, withdrawn_at - 1).allowed
	not decided_at(request, withdrawn_at).allowed
}

test_h1_a_record_of_an_unknown_customer_is_not_read if {
	orphan := changed(data.directory.customer_record.carla, {"customer": "customer:gone"})
	ticket := changed(data.directory.ticket["t-1"], {"customer": "customer:gone"})
	decision := decided(reads("user:ines", "customer_record:carla", "ticket:t-1")) with data.directory.customer_record.carla as orphan
		with data.directory.ref["ticket:t-1"] as ticket
	decision == denied({"customer:gone has not consented to support, or the consent has ended."})
}

# The register of customers may well belong to the organization.
test_h1_a_record_in_the_organization_takes_a_ticket_all_the_same if {
	record := object.union(data.directory.customer_record.carla, {"ancestors": {"organization:northwind": "organization:northwind"}})
	with_ticket := decided(reads("user:ines", "customer_record:carla", "ticket:t-1")) with data.directory.customer_record.carla as record
	with_ticket.allowed

	without := decided(asks("user:ines", "read", "customer_record:carla")) with data.directory.customer_record.carla as record
	without == denied({no_ticket})
}

test_h1_without_the_role_a_ticket_is_not_enough if {
	request := reads("user:lee", "customer_record:carla", "ticket:t-4")
	decided(request) == denied({no_role})
}

test_h1_the_role_ends_with_its_grant if {
	request := reads("user:lee", "customer_record:carla", "ticket:t-4")
	consented := changed(data.directory.customer.carla, {"consents": {"support": {"given_at": "2022-01-01T00:00:00Z"}}})
	last := decided_at(request, helped_out_until - 1) with data.directory.ref["customer:carla"] as consented
	last.allowed
	over := decided_at(request, helped_out_until) with data.directory.ref["customer:carla"] as consented
	over == denied({no_role})
}

test_h1_all_that_is_missing_is_said if {
	decided(asks("user:lee", "read", "customer_record:diego")).reasons == {
		no_role,
		no_ticket,
		"customer:diego has not consented to support, or the consent has ended.",
	}
}

test_h1_an_agent_changes_nothing_whatever_the_role_permits if {
	request := asks_in("user:ines", "update", "customer_record:carla", {"ticket": "ticket:t-1"})
	everything := object.union(data.directory.role.support_agent, {"permissions": {"*:*": "role:support_agent"}})
	decision := decided(request) with data.directory.ref["role:support_agent"] as everything
	decision == denied({"No rule lets user:ines update customer_record:carla."})
}

test_h1_a_ticket_described_by_the_caller_counts_for_nothing if {
	request := object.union(
		asks_in("user:omar", "read", "customer_record:carla", {"ticket": "ticket:t-1", "assignee": "user:omar"}),
		{"resource": {"properties": {"assignee": "user:omar", "ticket": data.directory.ticket["t-1"].attributes}}},
	)
	decided(request) == denied({no_ticket})
}
