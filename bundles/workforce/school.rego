# Courses and grades (W9). That staff administer their school takes no rule: it
# is a grant on the school.
package authz

import rego.v2

import data.verdict.request

# METADATA
# title: Faculty grade the courses they teach
deny contains "A course is graded by those who teach it." if {
	input.resource.type == "course"
	input.action.name == "grade"
	not request.subject.ref in request.resource.attributes.teachers
}

# METADATA
# title: Students read their own grades
allow if reads_own_grade

# METADATA
# title: The grade is the subject's own
reasons contains "Students read their own grades." if {
	reads_own_grade
	allowed
}

# METADATA
# title: Grades are read without a grant
actions contains "read" if input.resource.type == "grade"

# METADATA
# title: The subject is the student whose grade it is
reads_own_grade if {
	input.resource.type == "grade"
	input.action.name == "read"
	request.resource.attributes.student == request.subject.ref
}
