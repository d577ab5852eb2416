# People from outside (W8). A contract and a partner's organization confine what
# grants give, however wide these are.
package authz

import rego.v2

import data.verdict.hierarchy
import data.verdict.request

# METADATA
# title: A contractor is confined to the projects of their contract
deny contains sprintf("%s is in no project of the subject's contract.", [request.resource_ref]) if {
	request.subject.attributes.kind == "contractor"
	count(covering_contracts) == 0
}

# METADATA
# title: A contractor is confined to the dates of their contract
deny contains sprintf("%s has ended or has not begun.", [contract.ref]) if {
	request.subject.attributes.kind == "contractor"
	some contract in covering_contracts
	not under_contract
}

# METADATA
# title: One of these contracts runs
under_contract if {
	some contract in covering_contracts
	runs(contract)
}

# METADATA
# title: The subject's contracts that have the resource in one of their projects
covering_contracts contains contract if {
	some ref in hierarchy.ancestors_of_type(request.subject, "contract")
	contract := data.directory.ref[ref]
	some project in contract.attributes.projects
	hierarchy.within(request.resource, project)
}

# METADATA
# title: A contract runs
# description: >-
#   Its start is part of its time, its end is not. A contract without either
#   does not run.
runs(contract) if {
	time.parse_rfc3339_ns(contract.attributes.starts) <= time.now_ns()
	time.now_ns() < time.parse_rfc3339_ns(contract.attributes.ends)
}

# METADATA
# title: A partner is confined to their organization
deny contains sprintf("%s is not a resource of the subject's organization.", [request.resource_ref]) if {
	request.subject.attributes.kind == "partner"
	not hierarchy.within(request.resource, request.subject.attributes.organization)
}
