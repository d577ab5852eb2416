package authz_test

import rego.v2

reads_at_risk(context) := decided(asks_in("user:ana", "read", "user:ana", context))

test_c10_a_low_risk_changes_nothing if {
	every risk in [0, 12.5, 59, 59.99] {
		reads_at_risk({"risk": risk}) == {"allowed": true, "reasons": set(), "obligations": {}}
	}
}

test_c10_a_raised_risk_takes_a_second_factor if {
	every risk in [60, 89, 89.99] {
		reads_at_risk({"risk": risk}) == {
			"allowed": false,
			"reasons": {"The risk of this request takes a second factor."},
			"obligations": {"step_up": "mfa"},
		}
	}
}

test_c10_a_second_factor_given_is_enough if {
	reads_at_risk({"risk": 75, "mfa": true}) == {"allowed": true, "reasons": set(), "obligations": {}}
}

test_c10_only_true_is_a_second_factor if {
	every mfa in [false, null, "true", 1] {
		reads_at_risk({"risk": 75, "mfa": mfa}).obligations == {"step_up": "mfa"}
	}
}

test_c10_a_high_risk_is_denied_second_factor_or_not if {
	every context in [{"risk": 90}, {"risk": 100}, {"risk": 90, "mfa": true}] {
		reads_at_risk(context) == {
			"allowed": false,
			"reasons": {"The risk of this request is too high."},
			"obligations": {},
		}
	}
}

test_c10_a_score_that_is_none_is_denied if {
	every risk in [null, false, "12", -1, 100.01, [], {}] {
		reads_at_risk({"risk": risk}) == {
			"allowed": false,
			"reasons": {"context.risk must be a number from 0 to 100."},
			"obligations": {},
		}
	}
}

test_c10_what_is_denied_anyway_asks_for_no_second_factor if {
	decided(asks_in("user:ana", "read", "user:ben", {"risk": 75})).obligations == {}
	decided(asks_in("user:finn", "read", "user:finn", {"risk": 75})).obligations == {}
}
