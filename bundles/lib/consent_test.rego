package verdict.consent_test

import rego.v2

import data.verdict.consent

given_at := time.parse_rfc3339_ns("2026-01-01T00:00:00Z")

withdrawn_at := time.parse_rfc3339_ns("2026-06-01T12:00:00Z")

person := {"attributes": {"consents": {
	"marketing": {"given_at": "2026-01-01T00:00:00Z"},
	"analytics": {"given_at": "2026-01-01T00:00:00Z", "withdrawn_at": "2026-06-01T12:00:00Z"},
	"research": {"given_at": "2026-01-01T00:00:00Z", "expires_at": "2026-06-01T12:00:00Z"},
	"sharing": {"recipients": {"app:run": {"given_at": "2026-01-01T00:00:00Z"}}},
}}}

given(purpose, now) if consent.given(person, purpose) with time.now_ns as now

test_consent_begins_when_it_is_given if {
	given("marketing", given_at)
	not given("marketing", given_at - 1)
}

test_consent_ends_when_it_is_withdrawn if {
	given("analytics", withdrawn_at - 1)
	not given("analytics", withdrawn_at)
}

test_consent_ends_when_it_expires if {
	given("research", withdrawn_at - 1)
	not given("research", withdrawn_at)
}

test_another_purpose_is_not_consented_to if not given("profiling", withdrawn_at)

test_nothing_is_given_by_who_is_unknown_or_silent if {
	not consent.given({"attributes": {}}, "marketing")
	not consent.given(data.directory.user.nobody, "marketing") with data.directory as {"user": {}}
}

test_sharing_is_with_the_named_recipient_alone if {
	consent.given_to(person, "sharing", "app:run")
	not consent.given_to(person, "sharing", "app:walk")
}

test_consent_in_general_and_for_a_recipient_are_two_things if {
	not consent.given(person, "sharing")
	not consent.given_to(person, "marketing", "app:run")
}

test_a_consent_without_a_beginning_is_none if not consent.in_force({})
