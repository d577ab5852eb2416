# METADATA
# title: Customers and the people who serve them
# description: >-
#   One directory with a workforce (subjects of type user, below an
#   organization) and its customers (subjects of type customer). Each file of
#   this package is one concern. It may add to five sets: allow opens, deny
#   closes whatever else opens, missing says what an allow would have needed,
#   obligations tells the caller what to do with an allow, and actions names what
#   can be done with a type of resource, for a search to decide.
package authz

import rego.v2

import data.verdict.request

# METADATA
# title: Nothing is allowed unless a rule says so
default allow := false

# METADATA
# title: The decision
# description: What allow and deny come to, for obligations to rest on.
default allowed := false

allowed if {
	allow
	count(deny) == 0
}

# METADATA
# title: What is missing for an allow
reasons contains sentence if {
	not allow
	some sentence in missing
}

# METADATA
# title: No rule is about such a request
reasons contains sentence if {
	not allow
	count(missing) == 0
	count(deny) == 0
	sentence := sprintf("No rule lets %s %s %s.", [request.subject_ref, input.action.name, request.resource_ref])
}

# METADATA
# title: The subject is unknown
missing contains sentence if {
	not request.subject_known
	sentence := sprintf("The directory does not know the subject %s.", [request.subject_ref])
}

# METADATA
# title: The resource is unknown
missing contains sentence if {
	not request.resource_known
	sentence := sprintf("The directory does not know the resource %s.", [request.resource_ref])
}
