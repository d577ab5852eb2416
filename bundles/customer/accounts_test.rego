package authz_test

import rego.v2

not_yours := "A profile belongs to its person: only they and an administrator of their company may read or change it."

not_in_this_state := "Only its owner may do this with an account, and only in the state that calls for it."

# C1

test_c1_reads_own_profile if decided(asks("user:ana", "read", "user:ana")) == {
	"allowed": true,
	"reasons": set(),
	"obligations": {},
}

test_c1_updates_own_profile_in_its_fields if {
	decision := decided(asks("user:ana", "update", "user:ana"))
	decision.allowed
	decision.obligations == {"change_only": ["email", "language", "name", "timezone"]}
}

test_c1_nobody_elses_profile_is_read_or_changed if {
	every action in {"read", "update"} {
		decided(asks("user:ana", action, "user:ben")) == {
			"allowed": false,
			"reasons": {not_yours},
			"obligations": {},
		}
	}
}

test_c1_a_service_of_the_same_name_is_another if {
	decision := decided(asks("service:ana", "read", "user:ana")) with data.directory.service.ana as {
		"type": "service", "id": "ana", "ref": "service:ana", "attributes": {"state": "active"},
		"ancestors": {"service:ana": "service:ana"}, "grants": [], "grants_by_scope": {},
	}
	not decision.allowed
	decision.reasons == {not_yours}
}

# C6

test_c6_each_state_allows_its_own if {
	some_allowed := {"ana": "request_deletion", "hugo": "verify", "gina": "appeal", "finn": "cancel_deletion"}
	every id, action in some_allowed {
		account := concat(":", ["user", id])
		decided(asks(account, action, account)).allowed
	}
}

test_c6_no_state_allows_what_another_calls_for if {
	decided(asks("user:ana", "cancel_deletion", "user:ana")) == {
		"allowed": false,
		"reasons": {not_in_this_state},
		"obligations": {},
	}
	every action in {"verify", "appeal", "cancel_deletion"} {
		not decided(asks("user:ana", action, "user:ana")).allowed
	}
}

test_c6_pending_deletion_exports_or_cancels_and_nothing_else if {
	every action in {"export", "cancel_deletion"} {
		decided(asks("user:finn", action, "user:finn")).allowed
	}
	every action in {"read", "update", "file_ticket", "request_deletion", "verify"} {
		decision := decided(asks("user:finn", action, "user:finn"))
		not decision.allowed
		"The account is pending deletion and may not do this." in decision.reasons
	}
}

test_c6_pending_deletion_closes_what_the_plan_opens if {
	decided(asks("user:finn", "call", "api:orders")) == {
		"allowed": false,
		"reasons": {"The account is pending deletion and may not do this."},
		"obligations": {},
	}
}

test_c6_suspended_reads_and_appeals_but_changes_nothing if {
	decided(asks("user:gina", "read", "user:gina")).allowed
	decided(asks("user:gina", "appeal", "user:gina")).allowed
	decided(asks("user:gina", "update", "user:gina")).reasons == {"The account is suspended and may not do this."}
	not decided(asks("user:gina", "file_ticket", "user:gina")).allowed
}

test_c6_unverified_completes_its_profile_but_uses_nothing if {
	decided(asks("user:hugo", "update", "user:hugo")).allowed
	decided(asks("user:hugo", "call", "api:orders")).reasons == {"The account is unverified and may not do this."}
}

test_c6_what_a_state_allows_is_for_ones_own_account if {
	not decided(asks("user:finn", "export", "user:ana")).allowed
	not decided(asks("user:gina", "read", "user:ana")).allowed
}

test_c6_the_state_of_an_account_binds_its_viewers if {
	suspended := changed(data.directory.ref["user:ana"], {"state": "suspended"})
	request := asks_in("viewer:ana", "stream", "title:pond", {"active_devices": 0})
	decided(request).allowed
	decision := decided(request) with data.directory.ref["user:ana"] as suspended
	decision.reasons == {"The account is suspended and may not do this."}
}

test_c6_an_account_without_a_state_does_nothing if {
	stateless := json.remove(data.directory.user.ana, ["attributes/state"])
	decision := decided(asks("user:ana", "read", "user:ana")) with data.directory.user.ana as stateless
	not decision.allowed
	"The account is in no known state and may not do this." in decision.reasons
}
