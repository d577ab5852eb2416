package authz

import rego.v2

import data.verdict.consent
import data.verdict.rbac
import data.verdict.request

# METADATA
# title: An agent reads the record of a customer they are helping
# description: >-
#   The role, an open ticket of this customer assigned to this agent, and the
#   customer's consent: all three. The caller names the ticket in
#   context.ticket; what it says of itself is read from the directory.
allow if {
	_agent_reads_record
	rbac.permitted
	_ticket_justifies
	_customer_consents
}

# METADATA
# title: The role is missing
missing contains "Customers' records are read by agents with a support role." if {
	_agent_reads_record
	not rbac.permitted
}

# METADATA
# title: The ticket is missing
missing contains "context.ticket must name an open ticket of this customer that is assigned to the agent." if {
	_agent_reads_record
	not _ticket_justifies
}

# METADATA
# title: The customer's consent is missing
missing contains sentence if {
	_agent_reads_record
	not _customer_consents
	sentence := sprintf("%s has not consented to support, or the consent has ended.", [_customer])
}

# METADATA
# title: Every look at a customer's record is logged
obligations["log"] := {"event": "customer_record_read", "customer": _customer, "ticket": _ticket.ref} if {
	_agent_reads_record
	allowed
}

_agent_reads_record if {
	input.subject.type == "user"
	reads_record
	request.subject_known
	request.resource_known
}

_customer := request.resource.attributes.customer

_ticket := ticket if {
	ticket := data.directory.ref[input.context.ticket]
	ticket.type == "ticket"
}

_ticket_justifies if {
	_ticket.attributes.state == "open"
	_ticket.attributes.assignee == request.subject.ref
	_ticket.attributes.customer == _customer
}

_customer_consents if consent.given(data.directory.ref[_customer], "support")
