# Patients' records (W5). Roles say who is a doctor or a nurse at the hospital;
# wards and care teams say of whom.
package authz

import rego.v2

import data.verdict.hierarchy
import data.verdict.request

# METADATA
# title: Patients' records are for those who care for the patient
deny contains "The patient is in no ward or care team of the subject; in an emergency ask with break_glass in the context." if {
	input.resource.type == "patient_record"
	not cares_for_patient
	not breaks_glass
}

# METADATA
# title: The subject is in the patient's ward or care team
cares_for_patient if {
	some type in {"ward", "care_team"}
	some unit in hierarchy.ancestors_of_type(request.subject, type)
	hierarchy.within(request.resource, unit)
}

# METADATA
# title: The glass is broken
# description: >-
#   An emergency in which a doctor or nurse reads the record of somebody else's
#   patient. It lifts the deny and grants nothing: a role at the hospital is
#   still needed. The context is the word of the service that asks.
breaks_glass if {
	input.resource.type == "patient_record"
	input.action.name == "read"
	input.context.break_glass == true
	not cares_for_patient
}

# METADATA
# title: Who breaks the glass says why
obligations["give_reason"] := "why the record was needed outside the patient's care" if {
	breaks_glass
	allowed
}

# METADATA
# title: Who breaks the glass is looked into
obligations["notify"] := ["group:privacy-office"] if {
	breaks_glass
	allowed
}

# METADATA
# title: The glass was broken
reasons contains "The glass was broken: the patient is in no ward or care team of the subject." if {
	breaks_glass
	allowed
}
