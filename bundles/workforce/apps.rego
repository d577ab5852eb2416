# Applications: the accounting software (W6), and the apps that come and go with
# a department (W10). Opening an app takes a grant like anything else; one made
# to a department is everybody's as long as they are in it.
package authz

import rego.v2

import data.verdict.hierarchy
import data.verdict.request

# METADATA
# title: An app reserved for a department opens for nobody else
# description: Not even for who was granted it by mistake, or has since moved on.
deny contains sprintf("%s is reserved for %s.", [request.resource_ref, department]) if {
	input.resource.type == "app"
	department := request.resource.attributes.reserved_for
	not hierarchy.within(request.subject, department)
}
