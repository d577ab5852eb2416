package authz_test

import rego.v2

withdrawn_at := time.parse_rfc3339_ns("2023-08-15T18:30:00Z")

test_c4_consented_purpose_is_served if decided(asks("service:newsletter", "process", "user:ana")) == {
	"allowed": true,
	"reasons": set(),
	"obligations": {},
}

test_c4_withdrawn_consent_denies if {
	decided(asks("service:insights", "process", "user:ana")) == {
		"allowed": false,
		"reasons": {"user:ana has not consented to analytics, or the consent has ended."},
		"obligations": {},
	}
}

test_c4_consent_holds_until_the_nanosecond_it_is_withdrawn if {
	request := asks("service:insights", "process", "user:ana")
	decided_at(request, withdrawn_at - 1).allowed
	not decided_at(request, withdrawn_at).allowed
}

test_c4_silence_is_no_consent if {
	decided(asks("service:newsletter", "process", "user:ben")).reasons == {"user:ben has not consented to marketing, or the consent has ended."}
}

test_c4_data_is_shared_with_the_named_app_alone if {
	decided(asks("app:fitbuddy", "process", "user:ana")).allowed
	decided(asks("app:sleepwell", "process", "user:ana")).reasons == {"user:ana has not consented to sharing with app:sleepwell, or the consent has ended."}
	not decided(asks("app:stranger", "process", "user:ana")).allowed
}

test_c4_the_purpose_is_the_directorys_word if {
	request := json.patch(asks_in("service:insights", "process", "user:ana", {"purpose": "marketing"}), [{
		"op": "add",
		"path": "/subject/properties/purpose",
		"value": "marketing",
	}])
	not decided(request).allowed
}

test_c4_a_service_without_a_purpose_processes_nothing if {
	aimless := json.remove(data.directory.service.newsletter, ["attributes/purpose"])
	decision := decided(asks("service:newsletter", "process", "user:ana")) with data.directory.service.newsletter as aimless
	decision.reasons == {"Data is processed by a service with a purpose, or by an app."}
}

test_c4_an_account_on_its_way_out_is_not_processed if {
	decided(asks("service:newsletter", "process", "user:finn")) == {
		"allowed": false,
		"reasons": {"The account of user:finn is not active, so its data is not processed."},
		"obligations": {},
	}
}

test_c4_consent_to_share_ends_with_the_account_too if {
	leaving := changed(data.directory.user.ana, {"state": "pending_deletion"})
	decision := decided(asks("app:fitbuddy", "process", "user:ana")) with data.directory.user.ana as leaving
	decision.reasons == {"The account of user:ana is not active, so its data is not processed."}
}

test_c4_a_person_is_no_service_and_a_service_is_no_app if {
	aimed := changed(data.directory.user.ben, {"purpose": "marketing"})
	person := decided(asks("user:ben", "process", "user:ana")) with data.directory.user.ben as aimed
	person.reasons == {"Data is processed by a service with a purpose, or by an app."}

	named := {"sharing": {"recipients": {"service:insights": {"given_at": "2023-03-01T08:00:00Z"}}}}
	naming := changed(data.directory.user.ana, {"consents": named})
	service := decided(asks("service:insights", "process", "user:ana")) with data.directory.user.ana as naming
	not service.allowed
}

test_c4_consent_opens_processing_and_nothing_else if {
	decided(asks("service:newsletter", "read", "user:ana")).reasons == {not_yours}
	decided(asks("app:fitbuddy", "read", "user:ana")).reasons == {not_yours}
}

test_c4_nobody_is_processed_who_is_unknown if {
	decided(asks("service:newsletter", "process", "user:gone")).reasons == {"The directory does not know the resource user:gone."}
}
