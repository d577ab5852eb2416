package authz

import rego.v2

# Scores run from 0, harmless, to 100. A request without a score was not
# assessed, and is treated as harmless.
_step_up_from := 60

_deny_from := 90

# METADATA
# title: A high risk is denied
deny contains "The risk of this request is too high." if {
	_valid_score
	input.context.risk >= _deny_from
}

# METADATA
# title: A score that is none is denied
deny contains "context.risk must be a number from 0 to 100." if {
	"risk" in object.keys(input.context)
	not _valid_score
}

# METADATA
# title: A raised risk takes a second factor
deny contains _factor_wanted if {
	_valid_score
	input.context.risk >= _step_up_from
	input.context.risk < _deny_from
	not input.context.mfa == true
}

# METADATA
# title: Whoever only lacks the second factor is asked to step up
# description: Not for those whom it would not help.
obligations["step_up"] := "mfa" if {
	allow
	deny == {_factor_wanted}
}

_factor_wanted := "The risk of this request takes a second factor."

_valid_score if {
	_at_most(0, input.context.risk)
	_at_most(input.context.risk, 100)
}
