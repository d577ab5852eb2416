package authz_test

import rego.v2

outside_care := "The patient is in no ward or care team of the subject; in an emergency ask with break_glass in the context."

test_w5_nurse_reads_record_in_their_ward if {
	allowed("user:mina", "read", "patient_record:p-102")
}

test_w5_doctor_reads_and_writes_record_of_their_care_team if {
	allowed("user:omar", "read", "patient_record:p-102")
	allowed("user:omar", "write", "patient_record:p-102")
}

test_w5_nurse_of_another_ward_denied if {
	denied("user:nora", "read", "patient_record:p-102", outside_care)
}

test_w5_doctor_outside_their_care_team_denied if {
	denied("user:omar", "read", "patient_record:p-203", outside_care)
}

# They are in the same department and the same hospital.
test_w5_higher_units_in_common_are_not_enough if {
	count({"department:clinical", "organization:st-olaf"} - (object.keys(data.directory.user.nora.ancestors) & object.keys(data.directory.patient_record["p-102"].ancestors))) == 0
	denied("user:nora", "read", "patient_record:p-102", outside_care)
}

test_w5_ward_clerk_denied if {
	denied(
		"user:rita", "read", "patient_record:p-102",
		"No grant in force gives user:rita the permission patient_record:read on patient_record:p-102.",
	)
}

test_w5_nurse_writing_denied if {
	denied(
		"user:mina", "write", "patient_record:p-102",
		"No grant in force gives user:mina the permission patient_record:write on patient_record:p-102.",
	)
}

test_w5_patient_moved_to_another_ward_denied_from_then_on if {
	moved := object.union(data.directory.patient_record["p-203"], {"id": "p-102", "ref": "patient_record:p-102"})
	denied("user:mina", "read", "patient_record:p-102", outside_care) with data.directory.patient_record["p-102"] as moved
}

test_w5_break_glass_allowed_with_obligations if {
	made := decision("user:nora", "read", "patient_record:p-102", {"break_glass": true})
	made.allowed
	made.obligations == {
		"give_reason": "why the record was needed outside the patient's care",
		"notify": ["group:privacy-office"],
	}
	"The glass was broken: the patient is in no ward or care team of the subject." in made.reasons
}

test_w5_break_glass_in_care_obliges_to_nothing if {
	made := decision("user:mina", "read", "patient_record:p-102", {"break_glass": true})
	made.allowed
	made.obligations == {}
}

test_w5_break_glass_is_for_doctors_and_nurses if {
	every subject in ["user:rita", "user:nils", "user:lin"] {
		made := decision(subject, "read", "patient_record:p-203", {"break_glass": true})
		made.allowed == false
		made.obligations == {}
		not "The glass was broken: the patient is in no ward or care team of the subject." in made.reasons
	}
}

test_w5_break_glass_is_for_patient_records if {
	made := decision("user:nils", "read", "document:handbook", {"break_glass": true})
	made.allowed
	made.obligations == {}
	denied_in({"break_glass": true}, "user:nils", "read", "document:roadmap", "The document is classified secret, the subject is cleared for internal.")
}

test_w5_break_glass_to_write_denied if {
	denied_in({"break_glass": true}, "user:omar", "write", "patient_record:p-203", outside_care)
}

test_w5_break_glass_is_true_or_nothing if {
	every word in ["true", 1, [], null, false] {
		denied_in({"break_glass": word}, "user:nora", "read", "patient_record:p-102", outside_care)
	}
}
