package authz

import rego.v2

import data.verdict.hierarchy
import data.verdict.rbac
import data.verdict.request

# METADATA
# title: An administrator manages the people of their own company
# description: >-
#   The grant says whom and how far; even one on the whole tenant does not
#   reach into a company that the administrator is not part of.
allow if {
	_manages
	_same_company
	rbac.permitted
}

# METADATA
# title: What an administrator may do with people
actions contains action if {
	input.resource.type == "user"
	some action in _managing_actions
}

# METADATA
# title: What an administrator may do with the company
actions contains "invite" if input.resource.type == "organization"

# METADATA
# title: Not an administrator here
missing contains "People are suspended and invited by an administrator of their own company." if {
	_manages
	input.action.name in {"suspend", "invite"}
	request.subject_known
	request.resource_known
}

_manages if {
	input.resource.type == "user"
	input.action.name in _managing_actions
}

_managing_actions := {"read", "update", "suspend"}

# Someone who is invited has no account yet, so the request is about the company.
_manages if {
	input.resource.type == "organization"
	input.action.name == "invite"
}

_same_company if {
	some company in hierarchy.ancestors_of_type(request.resource, "organization")
	hierarchy.below(request.subject, company)
}
