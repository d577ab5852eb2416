package scenario

import (
	"fmt"
	"math/rand/v2"
)

// A workforce is a tenant of several organizations: a company of divisions,
// departments and teams, its contractors and partners, a hospital and a
// university. Everything is numbered, and its number says where it belongs.
type workforce struct {
	builder
	random *rand.Rand

	divisions, departments  int // department d is in division d mod divisions
	teams                   int // of each department
	employees               int // employee e is in department e mod departments
	compartments            int
	contracts, contractors  int // contractor c works under contract c mod contracts
	partners, partnerPeople int
	wards, careTeams        int
	staff                   int // of the hospital; of ward and care team by number
	patients                int // of ward and care team by number
	schools, courses        int // course c is of school c mod schools, and its professor is c
	students                int // of school s mod schools
}

const (
	usersPerDepartment     = 200
	departmentsPerDivision = 8
	usersPerTeam           = 12
	employeesPerRecord     = 4 // of so many employees one has an employee record, a salary and a leave request
	paymentsPerDivision    = 40
	serversPerEnvironment  = 4
	documentsPerDivision   = 100
	gradesPerStudent       = 2
)

// newWorkforce makes a workforce of about so many users, at least some hundreds.
func newWorkforce(users int) (*World, error) {
	b, err := shippedBundle("workforce")
	if err != nil {
		return nil, err
	}
	w := &workforce{random: newRandom(1)}
	w.employees = users * 55 / 100
	w.departments = max(4, w.employees/usersPerDepartment) | 1 // odd, so that every department has employees with records
	w.divisions = max(2, w.departments/departmentsPerDivision)
	w.teams = max(2, min(usersPerDepartment, w.employees/w.departments)/usersPerTeam)
	w.compartments = max(3, w.departments/4)
	w.contractors, w.contracts = users*3/100, max(4, users*3/1000)
	w.partnerPeople, w.partners = users*2/100, max(2, users/5000)
	w.staff, w.patients = users*15/100, users*20/100
	w.wards, w.careTeams = max(3, w.staff/100), max(2, w.staff/200)
	w.students, w.schools = users*24/100, max(2, users/2500)
	w.courses = max(4, w.students/50)

	w.addRoles()
	w.addCompany()
	w.addPeople()
	w.addOutsiders()
	w.addHospital()
	w.addUniversity()
	questions, err := ask(w.random, w.templates()...)
	if err != nil {
		return nil, err
	}
	return &World{
		Tenant: "workforce", Bundle: b, Entities: w.entities, Grants: w.grants, Now: now(), Questions: questions,
	}, nil
}

const acme = "organization:acme"

func division(i int) string    { return fmt.Sprintf("division:v%03d", i) }
func department(i int) string  { return fmt.Sprintf("department:d%04d", i) }
func finance(i int) string     { return fmt.Sprintf("department:finance-%03d", i) }
func team(d, t int) string     { return fmt.Sprintf("team:d%04d-t%02d", d, t) }
func environment(i int) string { return fmt.Sprintf("environment:e%04d", i) }
func compartment(i int) string { return fmt.Sprintf("compartment:c%04d", i) }
func employee(i int) string    { return fmt.Sprintf("user:e%06d", i) }
func project(i int) string     { return fmt.Sprintf("project:d%04d", i) }

// person is a user who holds an office, such as the head of a department.
func person(office string, i int) string { return fmt.Sprintf("user:%s-%04d", office, i) }

// about is the resource of a type that is about an employee.
func about(typ string, e int) string { return fmt.Sprintf("%s:e%06d", typ, e) }

func (w *workforce) addRoles() {
	role := func(id string, a attributes, parents ...string) { w.add("role:"+id, a, parents...) }
	may := func(permissions ...string) attributes { return attributes{"permissions": permissions} }
	domain := func(name string, permissions ...string) attributes {
		return attributes{"domain": name, "permissions": permissions}
	}
	role("employee", may("document:read"))
	role("app_user", may("app:open"))
	role("developer", may("repository:read", "repository:write"))
	role("team_lead", may("leave_request:read"))
	role("department_head", may("leave_request:approve", "*:grant_role"), "role:team_lead")
	role("division_head", may("budget:approve"), "role:department_head")
	role("hr_associate", domain("hr", "employee_record:read"))
	role("hr_manager", domain("hr", "salary:read"), "role:hr_associate")
	role("it_admin", domain("it", "server:restart", "*:read"), "role:hr_associate")
	role("server_admin", attributes{"domain": "it", "elevated": true, "permissions": []string{"server:administer"}})
	role("payment_preparer", domain("finance", "payment:prepare"))
	role("payment_approver", domain("finance", "payment:approve"))
	role("nurse", may("patient_record:read"))
	role("doctor", may("patient_record:write"), "role:nurse")
	role("faculty", may("course:grade"))
	role("school_staff", may("school:administer", "course:administer", "grade:read"))
}

// addCompany adds the company's units, and what belongs to them.
func (w *workforce) addCompany() {
	w.add(acme, attributes{"name": "Acme, a company"})
	w.grant("acme-employees", acme, "role:employee", acme)
	for i := range w.compartments {
		w.add(compartment(i), attributes{"name": fmt.Sprintf("Bid %d", i)})
	}
	for v := range w.divisions {
		w.addDivision(v)
	}
	for d := range w.departments {
		w.addDepartment(d)
	}
}

// addDivision adds a division with its finance, apps and documents.
func (w *workforce) addDivision(v int) {
	w.add(division(v), nil, acme)
	suite := fmt.Sprintf("app_suite:v%03d", v)
	w.add(suite, attributes{"name": fmt.Sprintf("The apps of division %d", v)})
	w.add(fmt.Sprintf("app:v%03d", v), attributes{"name": "Campaigns"}, suite)
	w.grant(fmt.Sprintf("apps-v%03d", v), division(v), "role:app_user", suite)

	w.add(finance(v), nil, division(v))
	ledger := fmt.Sprintf("app:ledger-%03d", v)
	w.add(ledger, attributes{"name": "Accounting", "reserved_for": finance(v)})
	w.grant(fmt.Sprintf("ledger-%03d", v), finance(v), "role:app_user", ledger)
	for i := range paymentsPerDivision {
		preparer := person("preparer", v)
		if i%2 == 1 {
			preparer = person("approver", v)
		}
		w.add(payment(v, i), attributes{"amount": 100 + 7*i, "duties": attributes{"prepare": preparer}}, finance(v))
	}
	for i := range documentsPerDivision {
		w.add(document(v, i), documentAttributes(i, w.compartments), acme)
	}
}

func payment(v, i int) string  { return fmt.Sprintf("payment:v%03d-%02d", v, i) }
func document(v, i int) string { return fmt.Sprintf("document:v%03d-%03d", v, i) }

// levels are the classifications and clearances, the lowest first.
func levels() []string { return []string{"public", "internal", "confidential", "secret"} }

// documentAttributes classify document i by its number; every tenth is of a
// compartment.
func documentAttributes(i, compartments int) attributes {
	a := attributes{"classification": levels()[i%len(levels())]}
	if i%10 == 9 {
		a["compartments"] = []string{compartment(i % compartments)}
	}
	return a
}

// addDepartment adds a department with its teams, app, project and servers.
func (w *workforce) addDepartment(d int) {
	w.add(department(d), nil, division(d%w.divisions))
	for t := range w.teams {
		w.add(team(d, t), nil, department(d))
	}
	app := fmt.Sprintf("app:d%04d", d)
	w.add(app, attributes{"name": "Code hosting"})
	w.grant(fmt.Sprintf("app-d%04d", d), department(d), "role:app_user", app)
	w.add(project(d), nil, department(d))
	for i := range 3 {
		w.add(repository(d, i), nil, project(d))
	}
	w.grant(fmt.Sprintf("code-d%04d", d), department(d), "role:developer", department(d))
	w.add(environment(d), nil, department(d))
	for i := range serversPerEnvironment {
		w.add(server(d, i), nil, environment(d))
	}
}

func repository(d, i int) string { return fmt.Sprintf("repository:d%04d-%d", d, i) }
func server(d, i int) string     { return fmt.Sprintf("server:d%04d-%d", d, i) }

// addPeople adds those who work for the company.
func (w *workforce) addPeople() {
	for e := range w.employees {
		parents := []string{team(w.home(e))}
		if c := w.compartmentOf(e); c >= 0 {
			parents = append(parents, compartment(c))
		}
		w.add(employee(e), attributes{"status": status(e), "kind": "employee", "title": "engineer", "clearance": clearance(e)}, parents...)
		if e%employeesPerRecord == 0 {
			for _, typ := range []string{"employee_record", "salary", "leave_request"} {
				w.add(about(typ, e), attributes{"employee": employee(e)}, team(w.home(e)))
			}
		}
	}
	for v := range w.divisions {
		w.hire("division-head", v, division(v))
		w.grant(fmt.Sprintf("head-v%03d", v), person("division-head", v), "role:division_head", division(v))
		w.hire("hr", v, division(v))
		w.grant(fmt.Sprintf("hr-v%03d", v), person("hr", v), "role:hr_associate", division(v))
		for _, office := range []string{"preparer", "approver", "accountant", "both"} {
			w.hire(office, v, finance(v))
		}
		w.grant(fmt.Sprintf("prepares-%03d", v), person("preparer", v), "role:payment_preparer", finance(v))
		w.grant(fmt.Sprintf("approves-%03d", v), person("approver", v), "role:payment_approver", finance(v))
		w.grant(fmt.Sprintf("both-prepares-%03d", v), person("both", v), "role:payment_preparer", finance(v))
		w.grant(fmt.Sprintf("both-approves-%03d", v), person("both", v), "role:payment_approver", finance(v))
	}
	for d := range w.departments {
		w.hire("head", d, department(d))
		w.grant(fmt.Sprintf("head-d%04d", d), person("head", d), "role:department_head", department(d))
		w.hire("hr-manager", d, division(d%w.divisions))
		w.grant(fmt.Sprintf("hr-d%04d", d), person("hr-manager", d), "role:hr_manager", department(d))
		w.hire("it", d, department(d))
		w.grant(fmt.Sprintf("it-d%04d", d), person("it", d), "role:it_admin", acme)
		if d%2 == 0 {
			w.grant(fmt.Sprintf("it-hr-d%04d", d), person("it", d), "role:hr_associate", department(d))
		}
		w.hire("operator", d, department(d))
		elevated := func(id string, environment string, from, until int) {
			w.grantFor(fmt.Sprintf("%s-d%04d", id, d), person("operator", d), "role:server_admin", environment, year(from), year(until))
		}
		elevated("on-call", environment(d), 2020, 2100)
		elevated("migration", environment((d+1)%w.departments), 2020, 2021)
		elevated("exercise", environment((d+2)%w.departments), 2095, 2096)
	}
}

// hire adds a person who holds an office.
func (w *workforce) hire(office string, i int, unit string) {
	w.add(person(office, i), attributes{"status": "active", "kind": "employee", "title": office, "clearance": "confidential"}, unit)
}

// home is the department of an employee, and the team there.
func (w *workforce) home(e int) (department, team int) {
	return e % w.departments, e / w.departments % w.teams
}

// compartmentOf is the compartment of every fifth employee, or -1.
func (w *workforce) compartmentOf(e int) int {
	if e%5 != 0 {
		return -1
	}
	return e / 5 % w.compartments
}

// status is "active" for 38 employees of 40.
func status(e int) string {
	switch e % 40 {
	case 38:
		return "suspended"
	case 39:
		return "offboarded"
	default:
		return "active"
	}
}

func clearance(e int) string { return levels()[e/3%len(levels())] }
