package authz

import rego.v2

import data.verdict.request

# METADATA
# title: Subscribers file support tickets
# description: The ticket does not exist yet, so the request is about the account that it is filed for.
allow if {
	_files_ticket
	own_account
	subscription_active
}

# METADATA
# title: People read their own tickets
allow if {
	_reads_ticket
	owned
}

# METADATA
# title: Tickets are filed for an account
actions contains "file_ticket" if input.resource.type == "user"

# METADATA
# title: Tickets are read
actions contains "read" if input.resource.type == "ticket"

# METADATA
# title: A ticket is filed for oneself
missing contains "A ticket is filed by the person it is for." if {
	_files_ticket
	request.subject_known
	request.resource_known
	not own_account
}

# METADATA
# title: A ticket is its owner's
missing contains "A ticket is read by the person who filed it." if {
	_reads_ticket
	request.subject_known
	request.resource_known
}

# METADATA
# title: The resource names the subject as its owner
owned if request.resource.attributes.owner == request.subject.ref

_files_ticket if {
	input.resource.type == "user"
	input.action.name == "file_ticket"
}

_reads_ticket if {
	input.resource.type == "ticket"
	input.action.name == "read"
}
