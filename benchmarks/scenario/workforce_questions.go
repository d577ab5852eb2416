package scenario

import (
	"fmt"

	"github.com/verdictpdp/verdict/api/authz"
)

// templates ask what the sample requests of the workforce bundle ask, about
// anybody whom they fit. The numbers W1 to W13 are those of its README.
func (w *workforce) templates() []func() Question {
	mfa := authz.Object{"mfa": true}
	yes := func(subject, action, resource string, context authz.Object) Question {
		return yes("workforce", subject, action, resource, context)
	}
	no := func(subject, action, resource string, context authz.Object) Question {
		return no("workforce", subject, action, resource, context)
	}
	any := w.random.IntN
	return []func() Question{
		func() Question { // W1
			e := w.recorded()
			return yes(person("hr", w.divisionOf(e)), "read", about("employee_record", e), nil)
		},
		func() Question {
			return no(person("hr", any(w.divisions)), "open", fmt.Sprintf("app:ledger-%03d", any(w.divisions)), nil)
		},
		func() Question { // W2
			d := any(w.departments)
			return yes(person("operator", d), "administer", server(d, any(serversPerEnvironment)), mfa)
		},
		func() Question { // the elevation has ended, or has not begun
			d := any(w.departments)
			return no(person("operator", d), "administer", server((d+1+any(2))%w.departments, any(serversPerEnvironment)), mfa)
		},
		func() Question { // W3
			e := w.where(isRecorded, func(e int) bool { return w.departmentOf(e)%2 == 0 })
			return yes(person("it", w.departmentOf(e)), "read", about("employee_record", e), nil)
		},
		func() Question {
			e := w.recorded()
			return no(person("it", other(w.random, w.departments, w.departmentOf(e))), "read", about("employee_record", e), nil)
		},
		func() Question { // W4
			e := w.recorded()
			return yes(person("hr-manager", w.departmentOf(e)), "read", about("salary", e), mfa)
		},
		func() Question {
			e := w.recorded()
			return no(person("hr-manager", other(w.random, w.departments, w.departmentOf(e))), "read", about("salary", e), mfa)
		},
		func() Question { // W5
			nurse := w.carer(false)
			return yes(carer(nurse), "read", record(congruent(w.random, w.patients, w.wards, nurse)), nil)
		},
		func() Question {
			doctor := w.carer(true)
			return yes(carer(doctor), "write", record(congruent(w.random, w.patients, w.careTeams, doctor)), nil)
		},
		func() Question {
			nurse := w.carer(false)
			return no(carer(nurse), "read", record(incongruent(w.random, w.patients, w.wards, nurse)), nil)
		},
		func() Question {
			nurse := w.carer(false)
			return yes(carer(nurse), "read", record(incongruent(w.random, w.patients, w.wards, nurse)), authz.Object{"break_glass": true})
		},
		func() Question { // W6
			v := any(w.divisions)
			return yes(person("accountant", v), "open", fmt.Sprintf("app:ledger-%03d", v), nil)
		},
		func() Question {
			v := any(w.divisions)
			return yes(person("approver", v), "approve", payment(v, 2*any(paymentsPerDivision/2)), mfa)
		},
		func() Question {
			v := any(w.divisions)
			return no(person("approver", v), "approve", payment(v, 2*any(paymentsPerDivision/2)+1), mfa)
		},
		func() Question {
			v := any(w.divisions)
			return no(person("both", v), "prepare", payment(v, any(paymentsPerDivision)), nil)
		},
		func() Question { // W7
			i := where(w.random, documentsPerDivision, not(hasCompartment))
			e := w.where(isActive, isCleared(i))
			return yes(employee(e), "read", document(any(w.divisions), i), nil)
		},
		func() Question {
			i := where(w.random, documentsPerDivision, hasCompartment)
			e := w.where(isActive, isCleared(i), func(e int) bool { return w.compartmentOf(e) == i%w.compartments })
			return yes(employee(e), "read", document(any(w.divisions), i), nil)
		},
		func() Question {
			i := where(w.random, documentsPerDivision, func(i int) bool { return i%len(levels()) > 0 }) // not public
			e := w.where(isActive, func(e int) bool { return !isCleared(i)(e) })
			return no(employee(e), "read", document(any(w.divisions), i), nil)
		},
		func() Question {
			i := where(w.random, documentsPerDivision, hasCompartment)
			e := w.where(isActive, isCleared(i), func(e int) bool { return w.compartmentOf(e) != i%w.compartments })
			return no(employee(e), "read", document(any(w.divisions), i), nil)
		},
		func() Question { // W8
			c := w.contractor(false)
			return yes(contractor(c), "read", repository(w.projectOf(c%w.contracts), any(3)), nil)
		},
		func() Question {
			c := w.contractor(false)
			return no(contractor(c), "read", repository(w.projectOf(c%w.contracts+1), any(3)), nil)
		},
		func() Question {
			c := w.contractor(true)
			return no(contractor(c), "read", repository(w.projectOf(c%w.contracts), any(3)), nil)
		},
		func() Question {
			i := any(w.partnerPeople)
			return yes(partnerUser(i), "read", order(congruent(w.random, w.partnerPeople, w.partners, i)), nil)
		},
		func() Question {
			i := any(w.partnerPeople)
			return no(partnerUser(i), "read", order(incongruent(w.random, w.partnerPeople, w.partners, i)), nil)
		},
		func() Question { // W9
			c := any(w.courses)
			return yes(professor(c), "grade", course(c), nil)
		},
		func() Question {
			c := any(w.courses)
			return no(professor(c), "grade", course(other(w.random, w.courses, c)), nil)
		},
		func() Question {
			c := any(w.courses)
			return yes(person("registrar", c%w.schools), "administer", course(c), nil)
		},
		func() Question {
			s := any(w.schools)
			return no(person("registrar", s), "administer", course(incongruent(w.random, w.courses, w.schools, s)), nil)
		},
		func() Question {
			s := any(w.students)
			return yes(student(s), "read", grade(s, any(gradesPerStudent)), nil)
		},
		func() Question {
			s := any(w.students)
			return no(student(s), "read", grade(other(w.random, w.students, s), any(gradesPerStudent)), nil)
		},
		func() Question { // W10
			e := w.where(isActive)
			return yes(employee(e), "open", fmt.Sprintf("app:d%04d", w.departmentOf(e)), nil)
		},
		func() Question {
			e := w.where(isActive)
			return yes(employee(e), "open", fmt.Sprintf("app:v%03d", w.divisionOf(e)), nil)
		},
		func() Question {
			e := w.where(isActive)
			return no(employee(e), "open", fmt.Sprintf("app:d%04d", other(w.random, w.departments, w.departmentOf(e))), nil)
		},
		func() Question {
			e := w.where(func(e int) bool { return !isActive(e) })
			return no(employee(e), "open", fmt.Sprintf("app:d%04d", w.departmentOf(e)), nil)
		},
		func() Question { // W11
			e := w.recorded()
			return yes(person("division-head", w.divisionOf(e)), "approve", about("leave_request", e), nil)
		},
		func() Question {
			e := w.recorded()
			return no(person("head", other(w.random, w.departments, w.departmentOf(e))), "approve", about("leave_request", e), nil)
		},
		func() Question { // W12
			v := any(w.divisions)
			return no(person("approver", v), "approve", payment(v, 2*any(paymentsPerDivision/2)), nil)
		},
		func() Question { // W13
			e := any(w.employees)
			return w.giving("role:team_lead", e, yes(person("head", w.departmentOf(e)), "grant_role", team(w.home(e)), mfa))
		},
		func() Question {
			e := any(w.employees)
			return w.giving("role:division_head", e, no(person("head", w.departmentOf(e)), "grant_role", team(w.home(e)), mfa))
		},
	}
}

// giving makes the question one about giving an employee a role.
func (w *workforce) giving(role string, e int, q Question) Question {
	q.Request.Action.Properties = authz.Object{"role": role, "subject": employee(e)}
	return q
}

// where is an employee of whom all holds.
func (w *workforce) where(holds ...func(e int) bool) int {
	return where(w.random, w.employees, holds...)
}

func isRecorded(e int) bool { return e%employeesPerRecord == 0 }

// recorded is an employee of whom there are records.
func (w *workforce) recorded() int { return w.where(isRecorded) }

func (w *workforce) departmentOf(e int) int { return e % w.departments }

func (w *workforce) divisionOf(e int) int { return w.departmentOf(e) % w.divisions }

func isActive(e int) bool { return status(e) == "active" }

// isCleared says who may see document i.
func isCleared(i int) func(e int) bool {
	return func(e int) bool { return e/3%len(levels()) >= i%len(levels()) }
}

func hasCompartment(i int) bool { return i%10 == 9 }

// carer is one of the hospital's doctors or nurses.
func (w *workforce) carer(doctor bool) int {
	return where(w.random, w.staff, func(i int) bool { return isDoctor(i) == doctor })
}

// contractor is one whose contract has ended, or runs.
func (w *workforce) contractor(ended bool) int {
	return where(w.random, w.contractors, func(c int) bool { return hasEnded(c%w.contracts) == ended })
}
