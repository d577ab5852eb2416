# METADATA
# title: Shared lists, with all that they are shared with in the request
# description: >-
#   context.entities are the entities by ref, context.parents what each is
#   directly below.
package authz

import rego.v2

default allow := false

allow if {
	input.resource.type == "list"
	owns
}

allow if {
	input.resource.type == "list"
	input.action.name == "read"
	some reader in list.attributes.readers
	reader in user_within
}

allow if {
	input.resource.type == "list"
	input.action.name in {"read", "add", "rename"}
	edits
}

# METADATA
# title: An item is checked by whoever may edit its list
allow if {
	checks
	owns
}

allow if {
	checks
	edits
}

# METADATA
# title: An item is checked by whom it is assigned to
allow if {
	checks
	item.attributes.assignee == user.ref
}

checks if {
	input.resource.type == "item"
	input.action.name == "check"
}

owns if list.attributes.owner == user.ref

edits if {
	some editor in list.attributes.editors
	editor in user_within
}

user := input.context.entities[concat(":", ["user", input.subject.id])] if input.subject.type == "user"

item := input.context.entities[concat(":", ["item", input.resource.id])] if input.resource.type == "item"

# METADATA
# title: The list
# description: The resource, or the one that the item is on.
list := input.context.entities[concat(":", ["list", input.resource.id])] if input.resource.type == "list"

list := input.context.entities[item.attributes.list]

user_within := graph.reachable(input.context.parents, {user.ref})
