# METADATA
# title: What must never be
# description: >-
#   Asked about each write of the directory: one that would lead to what is said
#   here is refused (docs/changes.md).
package verdict.invariants

import rego.v2

import data.authz
import data.verdict.sod

# METADATA
# title: The roles by which alone grants matter here
roles contains role if {
	some group in authz.exclusive_roles
	some role in group
}

# METADATA
# title: Nobody comes to hold roles that exclude each other (W6)
violations contains conflict if {
	some ref in input.subjects
	some conflict in sod.grant_conflicts(data.directory.ref[ref], authz.exclusive_roles)
}
