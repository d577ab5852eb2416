package delegation_test

import rego.v2

import data.verdict.delegation

given(role, receiver, scope) := {
	"id": "made-up", "subject": receiver, "role": role, "scope": scope,
	"not_before_ns": 0, "not_after_ns": 9223372036854775807,
}

writing(person, changes) := {
	"tenant": "workforce", "person": person, "reason": "",
	"caller": {"subject": "service:portal", "method": "mtls", "address": "10.0.0.7"},
	"changes": changes,
}

allowed(person, changes) if delegation.allow with input as writing(person, changes)

refused(person, changes, reason) if {
	not allowed(person, changes)
	reasons := delegation.reasons with input as writing(person, changes)
	reason in reasons
}

lead := given("role:team_lead", "user:nils", "team:platform")

head := given("role:division_head", "user:nils", "team:platform")

above_own := "Nobody may give a role that is not at or below the one by which they give it here."

test_w13_manager_gives_changes_and_takes_a_role if {
	allowed("user:dan", [{"grant": "g", "after": lead}])
	allowed("user:dan", [{"grant": "g", "before": lead, "after": object.union(lead, {"reason": "holiday"})}])
	allowed("user:dan", [{"grant": "g", "before": lead}])
}

test_w13_what_they_may_not_give_they_may_not_take_nor_turn_into_it if {
	refused("user:dan", [{"grant": "g", "after": head}], sprintf("g: %s", [above_own]))
	refused("user:dan", [{"grant": "g", "before": head}], sprintf("g: %s", [above_own]))
	refused("user:dan", [{"grant": "g", "before": lead, "after": head}], sprintf("g: %s", [above_own]))
	refused("user:dan", [{"grant": "g", "before": head, "after": lead}], sprintf("g: %s", [above_own]))
}

test_w13_one_change_that_they_may_not_make_refuses_all if {
	refused("user:dan", [{"grant": "g", "after": lead}, {"grant": "h", "after": head}], sprintf("h: %s", [above_own]))
}

test_w13_to_themselves_refused if {
	refused(
		"user:dan", [{"grant": "g", "after": given("role:team_lead", "user:dan", "team:platform")}],
		"g: Nobody may give a role to themselves, nor to what they belong to.",
	)
}

test_w13_the_whole_tenant_refused if {
	refused(
		"user:dan", [{"grant": "g", "after": given("role:team_lead", "user:nils", "tenant:workforce")}],
		"g: The directory does not know the resource tenant:workforce.",
	)
}

test_w13_entities_refused if {
	refused(
		"user:dan", [{"entity": "user:nils", "before": {}, "after": {}}],
		"On behalf of a person only grants can be written, and not user:nils.",
	)
}

test_w13_nothing_refused if not allowed("user:dan", [])

test_w13_those_who_may_not_give_roles_refused if {
	every person in ["user:nils", "user:lea", "user:nobody", "service:portal"] {
		not allowed(person, [{"grant": "g", "after": lead}])
	}
}
