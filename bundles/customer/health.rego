package authz

import rego.v2

import data.verdict.request

# The age, in years, at which children decide for themselves.
_age_of_majority := 18

# METADATA
# title: Patients see their own results and manage their own appointments
allow if {
	_health_action
	_patient.ref == request.subject.ref
}

# METADATA
# title: Guardians do so for a child, until it comes of age
allow if {
	_health_action
	_is_guardian
	time.now_ns() < _guardianship_ends
}

# METADATA
# title: Results are read
actions contains "read" if input.resource.type == "lab_result"

# METADATA
# title: Appointments are managed
actions contains action if {
	input.resource.type == "appointment"
	some action in _appointment_actions
}

# METADATA
# title: Neither the patient nor a guardian
missing contains "Only the patient, or a guardian of the patient, has access." if {
	_health_action
	request.subject_known
	request.resource_known
	not _is_guardian
}

# METADATA
# title: The child has come of age
missing contains sentence if {
	_health_action
	_is_guardian
	sentence := sprintf("%s decides for themself: the guardianship has ended.", [_patient.ref])
}

_health_action if {
	input.resource.type == "lab_result"
	input.action.name == "read"
}

_health_action if {
	input.resource.type == "appointment"
	input.action.name in _appointment_actions
}

_appointment_actions := {"read", "reschedule", "cancel"}

_patient := data.directory.ref[request.resource.attributes.patient]

_is_guardian if request.subject.ref in _patient.attributes.guardians

# A court may end a guardianship early, or prolong it; its date then counts.
_guardianship_ends := _date(_patient.attributes.guardianship_until)

_guardianship_ends := majority if {
	not _patient.attributes.guardianship_until
	born := _date(_patient.attributes.birth_date)
	majority := time.add_date(born, _age_of_majority, 0, 0)
}

# The beginning of a day such as "2015-06-15", in UTC.
_date(day) := time.parse_ns("2006-01-02", day)
