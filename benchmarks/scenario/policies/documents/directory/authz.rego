# METADATA
# title: Documents in folders, with groups
package authz

import rego.v2

default allow := false

allow if {
	input.action.name == "read"
	document.attributes.public == true
}

# METADATA
# title: What is shared with a person
# description: Documents, and folders with all in them.
allow if {
	input.action.name == "read"
	some place in user.attributes.shared
	document.ancestors[place]
}

allow if {
	input.action.name == "read"
	user.ancestors[document.attributes.viewers]
}

allow if {
	input.action.name in {"read", "edit"}
	user.ancestors[document.attributes.editors]
}

allow if {
	input.action.name in {"read", "edit", "delete"}
	document.attributes.owner == user.ref
}

deny contains "The document is locked." if {
	input.action.name in {"edit", "delete"}
	document.attributes.locked == true
}

deny contains "The user is suspended." if user.attributes.suspended == true

user := data.directory.user[input.subject.id] if input.subject.type == "user"

document := data.directory.document[input.resource.id] if input.resource.type == "document"
