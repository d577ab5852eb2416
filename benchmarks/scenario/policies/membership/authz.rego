# METADATA
# title: A long list
# description: A meeting is open to who is invited.
package authz

import rego.v2

default allow := false

allow if {
	input.action.name in {"join", "watch", "comment"}
	input.subject.type == "user"
	input.resource.type == "meeting"
	some guest in data.directory.meeting[input.resource.id].attributes.invited
	guest == data.directory.user[input.subject.id].ref
}
