package authz_test

import rego.v2

paid_until(text) := changed(data.directory.user.cleo, {"subscription": {"paid_until": text}})

calls_api := asks("user:cleo", "call", "api:orders")

# plan:plus is paid until noon, with 7 days of grace.
lapsing := paid_until("2026-01-10T12:00:00Z")

paid_until_ns := time.parse_rfc3339_ns("2026-01-10T12:00:00Z")

grace_ends := time.parse_rfc3339_ns("2026-01-17T12:00:00Z")

test_c2_a_plan_with_api_access_comes_with_its_quota if {
	decided(asks("user:ana", "call", "api:orders")) == {
		"allowed": true,
		"reasons": set(),
		"obligations": {"quota": {"requests_per_minute": 600, "requests_per_day": 100000}},
	}
}

test_c2_the_quota_follows_the_plan if {
	decision := decided(calls_api) with data.directory.user.cleo as paid_until("2095-01-01T00:00:00Z")
	decision.obligations.quota == {"requests_per_minute": 60, "requests_per_day": 1000}
}

test_c2_a_plan_without_api_access_is_denied if {
	decided(asks("user:ben", "call", "api:orders")) == {
		"allowed": false,
		"reasons": {"The plan basic does not include the API."},
		"obligations": {},
	}
}

test_c2_without_a_subscription_there_is_no_api if {
	decided(asks("user:dina", "call", "api:orders")).reasons == {"The account has no subscription."}
}

test_c2_a_lapsed_payment_removes_access if {
	decided(calls_api) == {
		"allowed": false,
		"reasons": {"The subscription has lapsed: it was paid until 2023-11-01T00:00:00Z, and its grace period is over."},
		"obligations": {},
	}
}

test_c2_grace_begins_when_the_payment_is_due if {
	before := decided_at(calls_api, paid_until_ns - 1) with data.directory.user.cleo as lapsing
	before.allowed
	object.keys(before.obligations) == {"quota"}

	due := decided_at(calls_api, paid_until_ns) with data.directory.user.cleo as lapsing
	due.allowed
	due.obligations.payment_due_since == "2026-01-10T12:00:00Z"
}

test_c2_grace_ends_to_the_nanosecond if {
	last := decided_at(calls_api, grace_ends - 1) with data.directory.user.cleo as lapsing
	last.allowed

	over := decided_at(calls_api, grace_ends) with data.directory.user.cleo as lapsing
	not over.allowed
}

test_c2_an_unknown_plan_or_api_opens_nothing if {
	lost := changed(data.directory.user.ana, {"subscription": {"plan": "plan:gone"}})
	decision := decided(asks("user:ana", "call", "api:orders")) with data.directory.user.ana as lost
	decision.reasons == {"The account has no subscription."}

	decided(asks("user:ana", "call", "api:gone")).reasons == {"The directory does not know the resource api:gone."}
}

test_c2_a_quota_that_is_none_opens_nothing if {
	every value in [null, false, true, 0, "", []] {
		plan := changed(data.directory.ref["plan:pro"], {"api": value})
		decision := decided(asks("user:ana", "call", "api:orders")) with data.directory.ref["plan:pro"] as plan
		decision.reasons == {"The plan pro does not include the API."}
		not decision.allowed
	}
}

test_c2_a_claimed_plan_opens_nothing if {
	request := json.patch(asks("user:ben", "call", "api:orders"), [
		{"op": "add", "path": "/subject/properties/subscription", "value": {"plan": "plan:pro", "paid_until": "2095-01-01T00:00:00Z"}},
		{"op": "add", "path": "/resource/properties/free", "value": true},
	])
	not decided(request).allowed
}

test_c2_the_api_is_for_people_with_an_account if {
	decided(asks("service:newsletter", "call", "api:orders")).reasons == {"No rule lets service:newsletter call api:orders."}
	decided(asks("viewer:ana", "call", "api:orders")).reasons == {"No rule lets viewer:ana call api:orders."}
}

test_c2_a_lapse_is_the_only_reason_when_a_subscription_has_lapsed if {
	lapsed := changed(data.directory.user.ben, {"subscription": {"paid_until": "2025-01-01T00:00:00Z"}})
	sentence := "The subscription has lapsed: it was paid until 2025-01-01T00:00:00Z, and its grace period is over."

	calling := decided(asks("user:ben", "call", "api:orders")) with data.directory.user.ben as lapsed
	calling.reasons == {sentence}
	streaming := decided(streams("viewer:ben", "title:opera", 9)) with data.directory.ref["user:ben"] as lapsed
	streaming.reasons == {sentence}
}

test_c2_a_payment_is_reminded_of_where_it_matters if {
	decision := decided_at(asks("user:cleo", "read", "user:cleo"), paid_until_ns) with data.directory.user.cleo as lapsing
	decision.allowed
	decision.obligations == {}
}
