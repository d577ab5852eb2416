package authz_test

import rego.v2

test_c3_a_subscriber_files_a_ticket if decided(asks("user:ben", "file_ticket", "user:ben")) == {
	"allowed": true,
	"reasons": set(),
	"obligations": {},
}

test_c3_without_an_active_subscription_no_ticket_is_filed if {
	decided(asks("user:dina", "file_ticket", "user:dina")).reasons == {"The account has no subscription."}
	not decided(asks("user:cleo", "file_ticket", "user:cleo")).allowed
}

test_c3_a_ticket_is_filed_for_oneself if {
	decided(asks("user:ben", "file_ticket", "user:ana")) == {
		"allowed": false,
		"reasons": {"A ticket is filed by the person it is for."},
		"obligations": {},
	}
}

test_c3_own_ticket_is_read if decided(asks("user:ana", "read", "ticket:t-1")).allowed

test_c3_own_ticket_is_read_when_the_subscription_has_lapsed if {
	owned := changed(data.directory.ticket["t-1"], {"owner": "user:cleo"})
	decision := decided(asks("user:cleo", "read", "ticket:t-1")) with data.directory.ticket["t-1"] as owned
	decision.allowed
}

test_c3_anothers_ticket_is_not_read if {
	decided(asks("user:ana", "read", "ticket:t-2")) == {
		"allowed": false,
		"reasons": {"A ticket is read by the person who filed it."},
		"obligations": {},
	}
}

test_c3_an_ownerless_ticket_is_nobodys if {
	ownerless := json.remove(data.directory.ticket["t-1"], ["attributes/owner"])
	decision := decided(asks("user:ana", "read", "ticket:t-1")) with data.directory.ticket["t-1"] as ownerless
	not decision.allowed
}

test_c3_owning_by_claim_is_not_owning if {
	request := json.patch(asks("user:ana", "read", "ticket:t-2"), [{
		"op": "add",
		"path": "/resource/properties/owner",
		"value": "user:ana",
	}])
	not decided(request).allowed
}
