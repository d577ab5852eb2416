package authz

import rego.v2

import data.verdict.consent
import data.verdict.request

# METADATA
# title: A service processes a person's data for the purpose they consented to
# description: The purpose is what the directory says of the service, not what the request says.
allow if {
	_processes
	input.subject.type == "service"
	_person_active
	consent.given(request.resource, request.subject.attributes.purpose)
}

# METADATA
# title: A person's data is shared with the app they named
allow if {
	_processes
	input.subject.type == "app"
	_person_active
	consent.given_to(request.resource, "sharing", request.subject.ref)
}

# METADATA
# title: A person's data is processed
actions contains "process" if input.resource.type == "user"

# METADATA
# title: There is no consent
missing contains sentence if {
	_processes
	_person_active
	sentence := sprintf("%s has not consented to %s, or the consent has ended.", [request.resource.ref, _purpose])
}

# METADATA
# title: The account is not active
missing contains sentence if {
	_processes
	request.resource_known
	not _person_active
	sentence := sprintf("The account of %s is not active, so its data is not processed.", [request.resource.ref])
}

# METADATA
# title: The subject has no purpose
missing contains "Data is processed by a service with a purpose, or by an app." if {
	_processes
	request.subject_known
	request.resource_known
	not _purpose
}

_processes if {
	input.resource.type == "user"
	input.action.name == "process"
}

_person_active if request.resource.attributes.state == "active"

_purpose := request.subject.attributes.purpose if input.subject.type == "service"

_purpose := sprintf("sharing with %s", [request.subject.ref]) if input.subject.type == "app"
