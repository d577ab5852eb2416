# Who asks, and for what: the conditions of every decision (W10). Each is said
# without a negated attribute, so that what is missing denies.
package authz

import rego.v2

import data.verdict.request

# METADATA
# title: The subject is known
deny contains sprintf("The directory does not know the subject %s.", [request.subject_ref]) if {
	not request.subject_known
}

# METADATA
# title: The resource is known
# description: To create something, ask about what it is to be created in.
deny contains sprintf("The directory does not know the resource %s.", [request.resource_ref]) if {
	not request.resource_known
}

# METADATA
# title: The subject is active
# description: >-
#   An offboarded or suspended person gets nothing, whatever grants and
#   departments are still in the directory, and so does one without a status.
deny contains sprintf("%s is not active: the status is %s.", [request.subject_ref, status]) if {
	status := object.get(request.subject.attributes, "status", "missing")
	status != "active"
}

# METADATA
# title: It is known what kind of person the subject is
# description: >-
#   Contractors and partners are confined (contractors.rego), so a person of
#   another kind, or of none, must not pass for an employee.
deny contains sprintf("%s is of no known kind: expected employee, contractor, partner or student.", [request.subject_ref]) if {
	input.subject.type == "user"
	request.subject_known
	not request.subject.attributes.kind in {"employee", "contractor", "partner", "student"}
}
