# METADATA
# title: Documents in folders, with groups, all of them in the request
# description: >-
#   context.entities are the entities by ref, context.parents what each is
#   directly below.
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
	place in document_within
}

allow if {
	input.action.name == "read"
	document.attributes.viewers in user_within
}

allow if {
	input.action.name in {"read", "edit"}
	document.attributes.editors in user_within
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

user := input.context.entities[concat(":", ["user", input.subject.id])] if input.subject.type == "user"

document := input.context.entities[concat(":", ["document", input.resource.id])] if input.resource.type == "document"

user_within := graph.reachable(input.context.parents, {user.ref})

document_within := graph.reachable(input.context.parents, {document.ref})
