package authz

import rego.v2

import data.verdict.hierarchy
import data.verdict.request

# METADATA
# title: Customers read their own record
allow if {
	_customer_asks
	reads_record
	request.resource.attributes.customer == request.subject.ref
}

# METADATA
# title: Customers never reach what belongs to the workforce
# description: Whatever a grant says, even one that is meant for everyone in the tenant.
deny contains "Customers do not reach what belongs to the workforce." if {
	_customer_asks
	count(hierarchy.ancestors_of_type(request.resource, "organization")) > 0
}

# METADATA
# title: Another customer's record
missing contains "Customers read their own record and no other." if {
	_customer_asks
	reads_record
	request.subject_known
	request.resource_known
}

# METADATA
# title: Customers' records are read
actions contains "read" if input.resource.type == "customer_record"

# METADATA
# title: The request is to read a customer's record
reads_record if {
	input.resource.type == "customer_record"
	input.action.name == "read"
}

_customer_asks if input.subject.type == "customer"
