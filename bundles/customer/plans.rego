package authz

import rego.v2

import data.verdict.request

# METADATA
# title: A plan with API access opens the API while it is paid
allow if {
	_calls_api
	request.resource_known
	subscription_active
	_quota
}

# METADATA
# title: APIs are called
actions contains "call" if input.resource.type == "api"

# METADATA
# title: The plan has no API access
missing contains sentence if {
	_calls_api
	subscription_active
	not _quota
	sentence := sprintf("The plan %s does not include the API.", [plan.id])
}

# METADATA
# title: There is no paid subscription
missing contains sentence if {
	_needs_subscription
	some sentence in subscription_problems
}

# METADATA
# title: The plan's quota is to be kept
obligations["quota"] := _quota if {
	_calls_api
	allowed
}

# METADATA
# title: Remind of the payment during the grace period
obligations["payment_due_since"] := account.attributes.subscription.paid_until if {
	_needs_subscription
	allowed
	_overdue
}

# METADATA
# title: The account's plan
plan := data.directory.ref[account.attributes.subscription.plan]

# METADATA
# title: The subscription is paid, or in its grace period
subscription_active if time.now_ns() < _grace_ends

# METADATA
# title: Why the account has no active subscription
subscription_problems contains "The account has no subscription." if {
	account
	not plan
}

subscription_problems contains sentence if {
	plan
	not subscription_active
	sentence := sprintf("The subscription has lapsed: it was paid until %s, and its grace period is over.", [account.attributes.subscription.paid_until])
}

_calls_api if {
	input.subject.type == "user"
	input.resource.type == "api"
	input.action.name == "call"
}

# Access comes with a quota: a plan whose "api" is anything else has none.
_quota := plan.attributes.api if is_object(plan.attributes.api)

_paid_until := time.parse_rfc3339_ns(account.attributes.subscription.paid_until)

_grace_ends := time.add_date(_paid_until, 0, 0, plan.attributes.grace_days)

_overdue if _paid_until <= time.now_ns()

_needs_subscription if _calls_api

_needs_subscription if _files_ticket

_needs_subscription if _streams
