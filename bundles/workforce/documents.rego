# Documents: clearance and compartments (W7). A grant says that a person reads
# documents at all; the lattice says which.
package authz

import rego.v2

import data.verdict.hierarchy
import data.verdict.request

# METADATA
# title: The order of classifications and clearances
clearance_levels := {"public": 0, "internal": 1, "confidential": 2, "secret": 3, "top_secret": 4}

# METADATA
# title: The clearance meets the classification
# description: A document or a person without a level that is known here is not cleared.
deny contains sprintf("The document is classified %s, the subject is cleared for %s.", [
	object.get(request.resource.attributes, "classification", "nothing"),
	object.get(request.subject.attributes, "clearance", "nothing"),
]) if {
	input.resource.type == "document"
	not cleared
}

# METADATA
# title: The subject's clearance is at or above the document's classification
cleared if {
	classification := clearance_levels[request.resource.attributes.classification]
	clearance_levels[request.subject.attributes.clearance] >= classification
}

# METADATA
# title: The reader is a member of every compartment
deny contains "The subject is not in every compartment of the document." if {
	input.resource.type == "document"
	not in_every_compartment
}

# METADATA
# title: The subject is in every compartment of the document
# description: >-
#   A document without compartments has nothing to be in. Compartments that are
#   no list close it.
in_every_compartment if {
	compartments := object.get(request.resource.attributes, "compartments", [])
	is_array(compartments)
	every compartment in compartments {
		hierarchy.within(request.subject, compartment)
	}
}
