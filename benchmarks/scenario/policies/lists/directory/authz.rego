# METADATA
# title: Shared lists
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
	user.ancestors[reader]
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
	user.ancestors[editor]
}

user := data.directory.user[input.subject.id] if input.subject.type == "user"

item := data.directory.item[input.resource.id] if input.resource.type == "item"

# METADATA
# title: The list
# description: The resource, or the one that the item is on.
list := data.directory.list[input.resource.id] if input.resource.type == "list"

list := data.directory.ref[item.attributes.list]
