# METADATA
# title: Departments, as the directory knows them
# description: Whoever heads a department reads the reports of all that is below it.
package authz

import rego.v2

default allow := false

allow if {
	input.action.name == "read"
	input.subject.type == "user"
	input.resource.type == "report"
	headed := data.directory.user[input.subject.id].attributes.heads
	data.directory.report[input.resource.id].ancestors[headed]
}
