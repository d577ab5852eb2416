# METADATA
# title: Roles
# description: >-
#   A user has a few of a thousand roles. What each permits stands in the
#   bundle's data, as type:action.
package authz

import rego.v2

default allow := false

allow if {
	input.subject.type == "user"
	some role in data.directory.user[input.subject.id].attributes.roles
	permission in data.roles[role]
}

permission := concat(":", [input.resource.type, input.action.name])
