# METADATA
# title: Departments, as the bundle's data lists them
# description: >-
#   Whoever heads a department reads the reports of all that is below it. What
#   is directly above each department stands in data.departments.
package authz

import rego.v2

default allow := false

allow if {
	input.action.name == "read"
	input.subject.type == "user"
	input.resource.type == "report"
	headed := data.directory.user[input.subject.id].attributes.heads
	headed in graph.reachable(data.departments, {reported})
}

reported := data.directory.report[input.resource.id].attributes.department
