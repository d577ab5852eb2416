package scenario

import "fmt"

func contract(i int) string    { return fmt.Sprintf("contract:k%04d", i) }
func contractor(i int) string  { return fmt.Sprintf("user:k%05d", i) }
func partner(i int) string     { return fmt.Sprintf("organization:partner-%03d", i) }
func partnerUser(i int) string { return fmt.Sprintf("user:p%05d", i) }
func order(i int) string       { return fmt.Sprintf("document:order-%05d", i) }
func ward(i int) string        { return fmt.Sprintf("ward:w%04d", i) }
func careTeam(i int) string    { return fmt.Sprintf("care_team:c%04d", i) }
func carer(i int) string       { return fmt.Sprintf("user:h%06d", i) }
func patient(i int) string     { return fmt.Sprintf("patient:a%06d", i) }
func record(i int) string      { return fmt.Sprintf("patient_record:a%06d", i) }
func school(i int) string      { return fmt.Sprintf("school:s%03d", i) }
func course(i int) string      { return fmt.Sprintf("course:s%05d", i) }
func student(i int) string     { return fmt.Sprintf("user:s%06d", i) }
func grade(s, i int) string    { return fmt.Sprintf("grade:s%06d-%d", s, i) }
func professor(i int) string   { return person("professor", i) }

// addOutsiders adds contractors, whose contract every fourth has ended, and
// partners.
func (w *workforce) addOutsiders() {
	for k := range w.contracts {
		until := year(2100)
		if hasEnded(k) {
			until = year(2021)
		}
		w.add(contract(k), attributes{
			"projects": []string{project(w.projectOf(k))}, "starts": at(year(2020)), "ends": at(until),
		})
		home := department(w.projectOf(k))
		w.grant(fmt.Sprintf("contract-%04d", k), contract(k), "role:developer", home)
		// Another department's code, which the contract does not cover.
		w.grant(fmt.Sprintf("contract-also-%04d", k), contract(k), "role:developer", department(w.projectOf(k+1)))
	}
	for i := range w.contractors {
		w.add(contractor(i), attributes{"status": "active", "kind": "contractor"}, contract(i%w.contracts))
	}
	for o := range w.partners {
		w.add(partner(o), attributes{"name": fmt.Sprintf("Partner %d of Acme", o)})
		w.grant(fmt.Sprintf("partner-%03d", o), partner(o), "role:employee", "")
	}
	for i := range w.partnerPeople {
		organization := partner(i % w.partners)
		w.add(partnerUser(i), attributes{"status": "active", "kind": "partner", "organization": organization, "clearance": "internal"}, organization)
		w.add(order(i), attributes{"classification": "internal"}, organization)
	}
}

// hasEnded says which contract is over.
func hasEnded(contract int) bool { return contract%4 == 3 }

// projectOf is the number of the project that a contract covers.
func (w *workforce) projectOf(contract int) int { return contract % w.departments }

const hospital, university = "organization:st-olaf", "organization:riverside"

// addHospital adds wards, care teams, who works in them, and the patients. Two
// of three of the staff are nurses, who belong to a ward; the others are
// doctors, who belong to a care team.
func (w *workforce) addHospital() {
	w.add(hospital, attributes{"name": "St Olaf, a hospital"})
	w.add("department:clinical", nil, hospital)
	for i := range w.wards {
		w.add(ward(i), nil, "department:clinical")
	}
	for i := range w.careTeams {
		w.add(careTeam(i), nil, "department:clinical")
	}
	w.add("group:nurses", nil)
	w.add("group:doctors", nil)
	w.add("group:privacy-office", nil, hospital)
	w.grant("nurses", "group:nurses", "role:nurse", hospital)
	w.grant("doctors", "group:doctors", "role:doctor", hospital)
	for i := range w.staff {
		if isDoctor(i) {
			w.add(carer(i), attributes{"status": "active", "kind": "employee", "title": "doctor"}, careTeam(i%w.careTeams), "group:doctors")
		} else {
			w.add(carer(i), attributes{"status": "active", "kind": "employee", "title": "nurse"}, ward(i%w.wards), "group:nurses")
		}
	}
	for i := range w.patients {
		w.add(patient(i), nil, ward(i%w.wards), careTeam(i%w.careTeams))
		w.add(record(i), nil, patient(i))
	}
}

func isDoctor(i int) bool { return i%3 == 2 }

// addUniversity adds schools with a registrar each, courses with a professor
// each, and students with their grades.
func (w *workforce) addUniversity() {
	w.add(university, attributes{"name": "Riverside, a university"})
	for s := range w.schools {
		w.add(school(s), nil, university)
		w.hire("registrar", s, school(s))
		w.grant(fmt.Sprintf("registrar-%03d", s), person("registrar", s), "role:school_staff", school(s))
	}
	for c := range w.courses {
		w.hire("professor", c, school(c%w.schools))
		w.grant(fmt.Sprintf("professor-%04d", c), professor(c), "role:faculty", school(c%w.schools))
		w.add(course(c), attributes{"teachers": []string{professor(c)}}, school(c%w.schools))
	}
	for s := range w.students {
		w.add(student(s), attributes{"status": "active", "kind": "student"}, school(s%w.schools))
		for i := range gradesPerStudent {
			w.add(grade(s, i), attributes{"student": student(s), "points": (s + i) % 16}, course((s+i)%w.courses))
		}
	}
}
