package authz_test

import rego.v2

import data.authz

test_w12_sensitive_action_with_mfa_allowed if {
	made := decision("user:felix", "approve", "payment:pay-1", {"mfa": true})
	made.allowed
	made.obligations == {}
}

test_w12_sensitive_action_without_mfa_denied_with_step_up if {
	made := decision("user:felix", "approve", "payment:pay-1", {})
	made.allowed == false
	made.reasons == {authz.mfa_reason}
	made.obligations == {"step_up": "mfa"}
}

test_w12_mfa_is_true_or_nothing if {
	every word in [false, "true", 1, [], null] {
		made := decision("user:felix", "approve", "payment:pay-1", {"mfa": word})
		made.allowed == false
		made.obligations == {"step_up": "mfa"}
	}
}

test_w12_mfa_is_no_property if {
	made := decided({
		"tenant": "workforce",
		"subject": {"type": "user", "id": "felix", "properties": {"mfa": true}},
		"action": {"name": "approve", "properties": {"mfa": true}},
		"resource": named("payment:pay-1"),
		"context": {},
	})
	made.allowed == false
	made.obligations == {"step_up": "mfa"}
}

test_w12_no_step_up_where_mfa_would_not_help if {
	every case in [["user:nils", "payment:pay-1"], ["user:felix", "payment:pay-2"]] {
		[subject, payment] := case
		made := decision(subject, "approve", payment, {})
		made.allowed == false
		made.obligations == {}
	}
}

test_w12_ordinary_action_without_mfa_allowed if allowed("user:carla", "prepare", "payment:pay-2")

test_w12_every_sensitive_action_takes_mfa if {
	every case in [
		["user:sam", "administer", "server:db-1"],
		["user:ines", "read", "salary:nils"],
		["user:felix", "approve", "payment:pay-1"],
	] {
		[subject, action, resource] := case
		decision(subject, action, resource, {"mfa": true}).allowed
		decision(subject, action, resource, {}).obligations == {"step_up": "mfa"}
	}
}
