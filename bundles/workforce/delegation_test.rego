package authz_test

import rego.v2

above_own := "Nobody may give a role that is not at or below the one by which they give it here."

outside_subtree := "A role may be given only to those in the subject's own part of the organization."

to_oneself := "Nobody may give a role to themselves, nor to what they belong to."

refused(made, reason) if {
	made.allowed == false
	reason in made.reasons
}

test_w13_manager_grants_a_junior_role_in_their_subtree if {
	granting("user:dan", "role:team_lead", "user:nils", "team:platform").allowed
	granting("user:dan", "role:team_lead", "team:platform", "department:engineering").allowed
}

test_w13_manager_grants_their_own_role if {
	granting("user:dan", "role:department_head", "user:nils", "department:engineering").allowed
}

test_w13_division_head_grants_in_a_department_below if {
	granting("user:vera", "role:department_head", "user:ivan", "department:it").allowed
}

test_w13_role_above_their_own_denied if {
	refused(granting("user:dan", "role:division_head", "user:nils", "team:platform"), above_own)
}

test_w13_role_beside_their_own_denied if {
	refused(granting("user:dan", "role:payment_approver", "user:nils", "team:platform"), above_own)
}

# Every engineer is a developer, but that is not by which Dan grants.
test_w13_role_held_besides_denied if {
	refused(granting("user:dan", "role:developer", "user:nils", "team:platform"), above_own)
}

test_w13_unknown_role_denied if {
	every role in ["role:nowhere", "team_lead", "user:nils", "", 7, null, ["role:team_lead"]] {
		refused(granting("user:dan", role, "user:nils", "team:platform"), above_own)
	}
}

test_w13_what_stands_above_a_role_but_is_none_denied if {
	role := object.union(data.directory.ref["role:department_head"], {"ancestors": {"team:web": "team:web"}})
	made := granting("user:dan", "team:web", "user:nils", "team:platform") with data.directory.ref["role:department_head"] as role
	refused(made, above_own)
}

test_w13_properties_of_other_actions_change_nothing if {
	decided({
		"tenant": "workforce", "context": {},
		"subject": named("user:dan"), "resource": named("leave_request:nils-summer"),
		"action": {"name": "approve", "properties": {"role": "role:team_lead", "subject": "user:dan"}},
	}).allowed
}

test_w13_role_not_named_denied if {
	made := decided({
		"tenant": "workforce", "context": {"mfa": true},
		"subject": named("user:dan"), "resource": named("team:platform"),
		"action": {"name": "grant_role", "properties": {}},
	})
	refused(made, above_own)
}

test_w13_scope_outside_their_subtree_denied if {
	every scope in ["department:it", "division:technology", "organization:acme"] {
		refused(
			granting("user:dan", "role:team_lead", "user:nils", scope),
			sprintf("No grant in force gives user:dan the permission %s:grant_role on %s.", [named(scope).type, scope]),
		)
	}
}

test_w13_whole_tenant_denied if {
	refused(
		granting("user:dan", "role:team_lead", "user:nils", "tenant:workforce"),
		"The directory does not know the resource tenant:workforce.",
	)
}

test_w13_receiver_outside_their_subtree_denied if {
	refused(granting("user:dan", "role:team_lead", "user:ivan", "team:platform"), outside_subtree)
	refused(granting("user:dan", "role:team_lead", "user:nobody", "team:platform"), outside_subtree)
	refused(granting("user:dan", "role:team_lead", "organization:acme", "team:platform"), outside_subtree)
}

test_w13_to_themselves_denied if {
	refused(granting("user:dan", "role:team_lead", "user:dan", "team:platform"), to_oneself)
	refused(granting("user:dan", "role:team_lead", "department:engineering", "team:platform"), to_oneself)
}

# One and the same grant must be above the role and reach the receiver. This Dan
# heads engineering as a department, and the web team alone as a division.
test_w13_two_grants_do_not_add_up if {
	dan := holding(data.directory.user.dan, [
		object.union(grant("user:dan", "role:department_head", "department:engineering"), {"id": "wide"}),
		object.union(grant("user:dan", "role:division_head", "team:web"), {"id": "narrow"}),
	])
	granting("user:dan", "role:division_head", "user:wanda", "team:web").allowed with data.directory.user.dan as dan
	granting("user:dan", "role:team_lead", "user:nils", "team:web").allowed with data.directory.user.dan as dan
	refused(granting("user:dan", "role:division_head", "user:nils", "team:web"), outside_subtree) with data.directory.user.dan as dan
}

test_w13_without_the_right_to_grant_denied if {
	refused(
		granting("user:nils", "role:team_lead", "user:wanda", "team:platform"),
		"No grant in force gives user:nils the permission team:grant_role on team:platform.",
	)
}

test_w13_without_mfa_steps_up if {
	made := decided({
		"tenant": "workforce", "context": {},
		"subject": named("user:dan"), "resource": named("team:platform"),
		"action": {"name": "grant_role", "properties": {"role": "role:team_lead", "subject": "user:nils"}},
	})
	made.allowed == false
	made.obligations == {"step_up": "mfa"}
}
