package authz_test

import rego.v2

test_w9_faculty_grade_the_course_they_teach if allowed("user:lin", "grade", "course:biology-1")

test_w9_faculty_not_teaching_the_course_denied if {
	denied("user:max", "grade", "course:biology-1", "A course is graded by those who teach it.")
}

test_w9_course_taught_by_nobody_knows_whom_denied if {
	course := lacking(data.directory.course["biology-1"], ["teachers"])
	denied("user:lin", "grade", "course:biology-1", "A course is graded by those who teach it.") with data.directory.course["biology-1"] as course
}

test_w9_teacher_who_is_no_longer_faculty_denied if {
	denied(
		"user:lin", "grade", "course:biology-1",
		"No grant in force gives user:lin the permission course:grade on course:biology-1.",
	) with data.directory.user.lin as holding(data.directory.user.lin, [])
}

test_w9_staff_administer_their_school if {
	allowed("user:stella", "administer", "school:science")
	allowed("user:stella", "administer", "course:biology-1")
	allowed("user:stella", "read", "grade:biology-1-ana")
}

test_w9_staff_in_another_school_denied if {
	denied(
		"user:stella", "administer", "school:law",
		"No grant in force gives user:stella the permission school:administer on school:law.",
	)
	denied(
		"user:stella", "administer", "course:torts",
		"No grant in force gives user:stella the permission course:administer on course:torts.",
	)
}

test_w9_staff_do_not_grade if {
	denied("user:stella", "grade", "course:biology-1", "A course is graded by those who teach it.")
}

test_w9_student_reads_their_own_grade if {
	made := decision("user:ana", "read", "grade:biology-1-ana", {})
	made.allowed
	made.reasons == {"Students read their own grades."}
}

test_w9_suspended_student_denied if {
	ana := altered(data.directory.user.ana, {"status": "suspended"})
	denied_only("user:ana", "read", "grade:biology-1-ana", {"user:ana is not active: the status is suspended."}) with data.directory.user.ana as ana
}

test_w9_student_in_anothers_grade_denied if {
	denied(
		"user:ana", "read", "grade:biology-1-ben",
		"No grant in force gives user:ana the permission grade:read on grade:biology-1-ben.",
	)
}

test_w9_student_does_not_change_their_own_grade if {
	denied(
		"user:ana", "change", "grade:biology-1-ana",
		"No grant in force gives user:ana the permission grade:change on grade:biology-1-ana.",
	)
}

test_w9_service_is_not_the_student_of_its_name if {
	denied("service:ana", "read", "grade:biology-1-ana", "The directory does not know the subject service:ana.")
}
