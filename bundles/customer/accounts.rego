package authz

import rego.v2

import data.verdict.request

# What people may do with their own account, by the account's state. Only an
# active account may do anything beyond this table.
_own_actions := {
	"active": {"read", "update", "export", "request_deletion"},
	"unverified": {"read", "update", "verify"},
	"suspended": {"read", "export", "appeal"},
	"pending_deletion": {"export", "cancel_deletion"},
}

# What may be changed on a profile. The state, the subscription and the
# consents of an account have processes of their own.
_profile_fields := ["email", "language", "name", "timezone"]

# METADATA
# title: People manage their own account, as far as its state allows
allow if {
	own_account
	input.action.name in _own_actions[account_state]
}

# METADATA
# title: What people may do with their account, in some state
actions contains action if {
	input.resource.type == "user"
	some action in _own_actions[_]
}

# METADATA
# title: An account that is not active does nothing else
deny contains sentence if {
	account
	not _state_permits
	sentence := sprintf("The account is %s and may not do this.", [replace(account_state, "_", " ")])
}

# METADATA
# title: A profile is its owner's
missing contains "A profile belongs to its person: only they and an administrator of their company may read or change it." if {
	input.resource.type == "user"
	input.action.name in {"read", "update"}
	request.subject_known
	request.resource_known
	not own_account
}

# METADATA
# title: Lifecycle is the owner's, in the right state
missing contains "Only its owner may do this with an account, and only in the state that calls for it." if {
	input.resource.type == "user"
	input.action.name in {"export", "request_deletion", "verify", "appeal", "cancel_deletion"}
	request.subject_known
	request.resource_known
}

# METADATA
# title: Only these fields of a profile may change
obligations["change_only"] := _profile_fields if {
	input.resource.type == "user"
	input.action.name == "update"
	allowed
}

# METADATA
# title: The account that the subject acts for
# description: A person's own, or the one that a viewer's profile belongs to.
account := request.subject if input.subject.type == "user"

account := data.directory.ref[request.subject.attributes.account] if input.subject.type == "viewer"

# METADATA
# title: The state of the account
account_state := object.get(account.attributes, "state", "in no known state")

# METADATA
# title: The resource is the subject's own account
own_account if {
	input.subject.type == "user"
	request.subject.ref == request.resource.ref
}

_state_permits if account_state == "active"

_state_permits if {
	own_account
	input.action.name in _own_actions[account_state]
}
