package authz_test

import rego.v2

streams(viewer, title, devices) := asks_in(viewer, "stream", title, {"active_devices": devices})

# In Lisbon, as in UTC in winter.
at(clock) := time.parse_rfc3339_ns(sprintf("2026-01-15T%sZ", [clock]))

test_c8_a_title_of_the_plans_tier_is_streamed if {
	decided(streams("viewer:ana", "title:opera", 0)) == {"allowed": true, "reasons": set(), "obligations": {}}
	decided(streams("viewer:ben", "title:orbit", 0)).allowed
}

test_c8_a_title_above_the_plans_tier_is_not if {
	decided(streams("viewer:ben", "title:opera", 0)) == {
		"allowed": false,
		"reasons": {"The plan basic does not include this title."},
		"obligations": {},
	}
}

test_c8_the_last_device_streams_and_one_more_does_not if {
	decided(streams("viewer:ana", "title:pond", 3)).allowed
	decision := decided(streams("viewer:ana", "title:pond", 4))
	not decision.allowed
	decision.reasons == {"The plan pro streams to 4 devices at a time, and context.active_devices must say how many are in use."}
}

test_c8_a_count_of_devices_that_is_none_is_denied if {
	not decided(asks("viewer:ana", "stream", "title:pond")).allowed
	every count_ in [null, false, "0", [], -1] {
		not decided(streams("viewer:ana", "title:pond", count_)).allowed
	}
}

test_c8_a_kids_profile_sees_what_is_rated_for_its_age if {
	decided(streams("viewer:ana-kids", "title:pond", 0)).allowed
	decided(streams("viewer:ana-kids", "title:orbit", 0)) == {
		"allowed": false,
		"reasons": {"The title is not rated for the age of this profile."},
		"obligations": {},
	}
}

test_c8_the_rating_is_met_at_the_same_age if {
	rated := changed(data.directory.title.pond, {"min_age": 7})
	met := decided(streams("viewer:ana-kids", "title:pond", 0)) with data.directory.title.pond as rated
	met.allowed

	above := changed(data.directory.title.pond, {"min_age": 8})
	missed := decided(streams("viewer:ana-kids", "title:pond", 0)) with data.directory.title.pond as above
	not missed.allowed
}

test_c8_an_unrated_title_is_not_for_kids if {
	unrated := json.remove(data.directory.title.pond, ["attributes/min_age"])
	for_kids := decided(streams("viewer:ana-kids", "title:pond", 0)) with data.directory.title.pond as unrated
	not for_kids.allowed
	for_adults := decided(streams("viewer:ana", "title:pond", 0)) with data.directory.title.pond as unrated
	for_adults.allowed
}

test_c8_what_is_no_number_opens_nothing if {
	every value in [null, false, "1", [], {}] {
		tier := changed(data.directory.title.pond, {"tier": value})
		of_no_tier := decided(streams("viewer:ana", "title:pond", 0)) with data.directory.title.pond as tier
		not of_no_tier.allowed

		rating := changed(data.directory.title.pond, {"min_age": value})
		unrated := decided(streams("viewer:ana-kids", "title:pond", 0)) with data.directory.title.pond as rating
		not unrated.allowed

		age := changed(data.directory.viewer["ana-kids"], {"max_age": value})
		of_any_age := decided(streams("viewer:ana-kids", "title:orbit", 0)) with data.directory.viewer["ana-kids"] as age
		not of_any_age.allowed

		streaming := changed(data.directory.ref["plan:basic"], {"streaming": {"tier": value, "devices": value}})
		on_any_plan := decided(streams("viewer:ben", "title:opera", 9)) with data.directory.ref["plan:basic"] as streaming
		not on_any_plan.allowed

		hours := changed(data.directory.viewer["ana-kids"], {"hours": {"from": value, "until": value}})
		at_any_hour := decided(streams("viewer:ana-kids", "title:pond", 0)) with data.directory.viewer["ana-kids"] as hours
		not at_any_hour.allowed
	}
}

test_c8_kids_stream_within_their_hours if {
	request := streams("viewer:ana-kids", "title:pond", 0)
	not decided_at(request, at("06:59:59")).allowed
	decided_at(request, at("07:00:00")).allowed
	decided_at(request, at("19:59:59")).allowed
	decided_at(request, at("20:00:00")) == {
		"allowed": false,
		"reasons": {"This profile streams from 7 to 20 o'clock."},
		"obligations": {},
	}
}

test_c8_the_hour_is_that_of_the_accounts_time_zone if {
	moved := changed(data.directory.user.ana, {"timezone": "Asia/Tokyo"})
	decision := decided_at(streams("viewer:ana-kids", "title:pond", 0), at("12:00:00")) with data.directory.ref["user:ana"] as moved
	not decision.allowed
}

test_c8_a_profile_that_does_not_say_whether_it_is_for_kids_streams_nothing if {
	unsaid := json.remove(data.directory.viewer.ana, ["attributes/kids"])
	decision := decided(streams("viewer:ana", "title:pond", 0)) with data.directory.viewer.ana as unsaid
	not decision.allowed
	count(decision.reasons) > 0
}

test_c8_a_kids_profile_cannot_claim_to_be_grown_up if {
	request := json.patch(streams("viewer:ana-kids", "title:orbit", 0), [{
		"op": "add",
		"path": "/subject/properties",
		"value": {"kids": false, "max_age": 99},
	}])
	not decided(request).allowed
}

test_c8_a_profile_streams_titles_and_does_nothing_else if {
	every action, resource in {"read": "title:orbit", "stream": "api:orders"} {
		request := asks_in("viewer:ana-kids", action, resource, {"active_devices": 0})
		decided(request).reasons == {sprintf("No rule lets viewer:ana-kids %s %s.", [action, resource])}
	}
}
