package writepolicy_test

import (
	"context"
	"fmt"
	"io/fs"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"github.com/verdictpdp/verdict/api/authz"
	"github.com/verdictpdp/verdict/bundles"
	"github.com/verdictpdp/verdict/engine/directory"
	"github.com/verdictpdp/verdict/engine/eval"
	"github.com/verdictpdp/verdict/engine/eval/closure"
	"github.com/verdictpdp/verdict/engine/eval/topdown"
	"github.com/verdictpdp/verdict/engine/writepolicy"
	"github.com/verdictpdp/verdict/policy/bundle"
	"github.com/verdictpdp/verdict/policy/rego"
)

const tenant = "workforce"

var noon = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

// rulesOf are the rules of a bundle that are asked about writes, on an evaluator.
func rulesOf(tb testing.TB, files fs.FS, name string, evaluator eval.Evaluator) map[string]eval.Rule {
	tb.Helper()
	b, err := bundle.ReadFS(files, name)
	if err != nil {
		tb.Fatal(err)
	}
	library, err := bundle.ReadFS(bundles.FS, "lib")
	if err != nil {
		tb.Fatal(err)
	}
	policy, err := rego.Compile(b.With(library), rego.Options{})
	if err != nil {
		tb.Fatal(err)
	}
	rules := make(map[string]eval.Rule)
	for _, name := range writepolicy.RuleNames() {
		if !policy.HasRule(name) {
			continue
		}
		if rules[name], err = evaluator.PrepareRule(tb.Context(), policy, name); err != nil {
			tb.Fatal(err)
		}
	}
	return rules
}

// made is a bundle of one more file.
func made(tb testing.TB, module string) map[string]eval.Rule {
	return rulesOf(tb, fstest.MapFS{
		"made/authz.rego":  {Data: []byte("package authz\n\nallow := false\n")},
		"made/writes.rego": {Data: []byte(module)},
	}, "made", closure.New())
}

// newDirectory is a directory in memory whose writes rules are asked about.
func newDirectory(tb testing.TB, rules func(tenant string) (map[string]eval.Rule, error)) *directory.Directory {
	tb.Helper()
	return newBoundedDirectory(tb, rules, wide)
}

// wide are limits that no write of these tests comes to.
var wide = writepolicy.Limits{Evaluation: time.Minute, Steps: eval.DefaultSteps, Entities: 10_000, Subjects: writepolicy.DefaultSubjects}

// newBoundedDirectory is newDirectory with other limits.
func newBoundedDirectory(tb testing.TB, rules func(tenant string) (map[string]eval.Rule, error), limits writepolicy.Limits) *directory.Directory {
	tb.Helper()
	guard := writepolicy.New(writepolicy.Options{Rules: rules, Clock: func() time.Time { return noon }, Limits: limits})
	d, err := directory.Open(directory.Options{Tenants: []string{tenant}, Guard: guard})
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() { d.Close() })
	return d
}

func always(rules map[string]eval.Rule) func(string) (map[string]eval.Rule, error) {
	return func(string) (map[string]eval.Rule, error) { return rules, nil }
}

// write writes lines as one batch, on behalf of a person if one is named.
func write(tb testing.TB, d *directory.Directory, person string, lines ...string) error {
	tb.Helper()
	batch := authz.Batch{Author: authz.Author{Subject: authz.EntityRef{Type: "service", ID: "portal"}, Method: "mtls", Address: "10.0.0.7", Reason: "because"}}
	if person != "" {
		batch.Author.OnBehalfOf = authz.EntityRef{Type: "user", ID: person}
	}
	for _, line := range lines {
		change, err := directory.ParseLine([]byte(line))
		if err != nil {
			tb.Fatalf("%s: %v", line, err)
		}
		batch.Changes = append(batch.Changes, change)
	}
	_, err := d.Write(tb.Context(), tenant, batch)
	return err
}

func mustWrite(tb testing.TB, d *directory.Directory, lines ...string) {
	tb.Helper()
	if err := write(tb, d, "", lines...); err != nil {
		tb.Fatal(err)
	}
}

func wantError(tb testing.TB, err error, kind authz.Kind, text string) {
	tb.Helper()
	if text == "" {
		if err != nil {
			tb.Errorf("refused: %v", err)
		}
		return
	}
	if err == nil || authz.KindOf(err) != kind || !strings.Contains(err.Error(), text) {
		tb.Errorf("error %v of kind %v, expected kind %v and %q", err, authz.KindOf(err), kind, text)
	}
}

// workforceRules are those of the bundle.
func workforceRules(t *testing.T, evaluator eval.Evaluator) map[string]eval.Rule {
	t.Helper()
	return rulesOf(t, bundles.FS, "workforce", evaluator)
}

// workforce is the sample directory of the bundle, with its policy asked about writes.
func workforce(t *testing.T, rules map[string]eval.Rule) *directory.Directory {
	t.Helper()
	asked := map[string]eval.Rule{}
	d := newDirectory(t, func(string) (map[string]eval.Rule, error) { return asked, nil })
	lines, err := bundles.FS.Open("workforce/directory.jsonl")
	if err != nil {
		t.Fatal(err)
	}
	defer lines.Close()
	if _, err := d.Import(t.Context(), tenant, lines, directory.ImportOptions{}); err != nil {
		t.Fatal(err)
	}
	asked = rules
	return d
}

func grantLine(id, subject, role, more string) string {
	return fmt.Sprintf(`{"grant":{"id":%q,"subject":%q,"role":"role:%s","scope":"department:finance"%s}}`, id, subject, role, more)
}

// TestSeparationOfDutiesAtWriteTime has each way in which somebody comes to hold two
// roles that exclude each other (W6).
func TestSeparationOfDutiesAtWriteTime(t *testing.T) {
	const both = "user:carla cannot have role:payment_preparer by grant carla-prepares and role:payment_approver by grant too-much at a time"
	tests := []struct {
		name   string
		before []string
		write  []string
		want   string
	}{
		{"another role that excludes nothing", nil, []string{grantLine("more", "user:carla", "app_user", "")}, ""},
		{"the other role", nil, []string{grantLine("too-much", "user:carla", "payment_approver", "")}, both},
		{"the other role of two, the first taken in the same write", nil, []string{grantLine("too-much", "user:carla", "payment_approver", ""), `{"delete":{"grant":"carla-prepares"}}`}, ""},
		{"both in one write", nil, []string{grantLine("a", "user:tom", "payment_approver", ""), grantLine("b", "user:tom", "payment_preparer", "")}, "user:tom cannot have role:payment_approver by grant a and role:payment_preparer by grant b"},
		{"one after the other", nil, []string{grantLine("carla-prepares", "user:carla", "payment_preparer", `,"not_after":"2027-01-01T00:00:00Z"`), grantLine("later", "user:carla", "payment_approver", `,"not_before":"2027-01-01T00:00:00Z"`)}, ""},
		{"one longer than until the other", nil, []string{grantLine("carla-prepares", "user:carla", "payment_preparer", `,"not_after":"2027-01-01T00:00:01Z"`), grantLine("too-much", "user:carla", "payment_approver", `,"not_before":"2027-01-01T00:00:00Z"`)}, both},
		{"one prolonged into the other", []string{grantLine("carla-prepares", "user:carla", "payment_preparer", `,"not_after":"2027-01-01T00:00:00Z"`), grantLine("too-much", "user:carla", "payment_approver", `,"not_before":"2027-01-01T00:00:00Z"`)}, []string{grantLine("carla-prepares", "user:carla", "payment_preparer", "")}, both},
		{"one that has ended", nil, []string{grantLine("ended", "user:carla", "payment_approver", `,"not_after":"2026-02-01T00:00:00Z"`)}, ""},
		{"by a department", nil, []string{grantLine("too-much", "department:finance", "payment_approver", "")}, both},
		{"by a group joined", []string{`{"entity":{"type":"group","id":"approvers"}}`, grantLine("too-much", "group:approvers", "payment_approver", "")}, []string{`{"entity":{"type":"user","id":"carla","parents":["department:finance","group:approvers"]}}`}, both},
		{"by a group that joins another", []string{
			`{"entity":{"type":"group","id":"approvers"}}`, grantLine("too-much", "group:approvers", "payment_approver", ""),
			`{"entity":{"type":"group","id":"new"}}`, `{"entity":{"type":"user","id":"carla","parents":["department:finance","group:new"]}}`,
		}, []string{`{"entity":{"type":"group","id":"new","parents":["group:approvers"]}}`}, both},
		{"by a senior role", []string{`{"entity":{"type":"role","id":"controller","parents":["role:payment_approver"]}}`}, []string{grantLine("too-much", "user:carla", "controller", "")}, both},
		{"by a role that comes to inherit", []string{`{"entity":{"type":"role","id":"controller"}}`, grantLine("too-much", "user:carla", "controller", "")}, []string{`{"entity":{"type":"role","id":"controller","parents":["role:payment_approver"]}}`}, both},
		{"by the role above one that comes to inherit", []string{
			`{"entity":{"type":"role","id":"controller"}}`, `{"entity":{"type":"role","id":"chief","parents":["role:controller"]}}`, grantLine("too-much", "user:carla", "chief", ""),
		}, []string{`{"entity":{"type":"role","id":"controller","parents":["role:payment_approver"]}}`}, both},
		{"by a group below which a role is, and that comes to inherit", []string{
			`{"entity":{"type":"group","id":"link"}}`, `{"entity":{"type":"role","id":"controller","parents":["group:link"]}}`, `{"entity":{"type":"role","id":"chief","parents":["role:controller"]}}`, grantLine("too-much", "user:carla", "chief", ""),
		}, []string{`{"entity":{"type":"group","id":"link","parents":["role:payment_approver"]}}`}, both},
		{"by one role of both", nil, []string{`{"entity":{"type":"role","id":"all","parents":["role:payment_approver","role:payment_preparer"]}}`, grantLine("all", "user:tom", "all", "")}, "user:tom cannot have role:payment_approver by grant all and role:payment_preparer by grant all"},
		{"of somebody who is not there yet", nil, []string{grantLine("a", "user:new", "payment_approver", ""), grantLine("b", "user:new", "payment_preparer", "")}, ""},
		{"of somebody who comes", []string{grantLine("a", "user:new", "payment_approver", ""), grantLine("b", "user:new", "payment_preparer", "")}, []string{`{"entity":{"type":"user","id":"new"}}`}, "user:new cannot have"},
		{"to all of an organization, of a role that excludes nothing", nil, []string{`{"grant":{"id":"everybody","subject":"tenant:workforce","role":"role:employee"}}`}, ""},
		{"to everybody", nil, []string{`{"grant":{"id":"everybody","subject":"tenant:workforce","role":"role:payment_approver"}}`}, "more than 100000 entities"},
	}
	for _, evaluator := range []eval.Evaluator{closure.New(), topdown.New()} {
		rules := workforceRules(t, evaluator)
		for _, test := range tests {
			t.Run(evaluator.Name()+"/"+test.name, func(t *testing.T) {
				d := workforce(t, rules)
				if len(test.before) > 0 {
					mustWrite(t, d, test.before...)
				}
				_, revision := d.Revisions()
				kind := authz.FailedPrecondition
				if strings.HasPrefix(test.want, "more than") {
					kind = authz.LimitExceeded
				}
				wantError(t, write(t, d, "", test.write...), kind, test.want)
				if _, after := d.Revisions(); test.want != "" && after != revision {
					t.Errorf("revision %d is written", after)
				}
			})
		}
	}
}

// TestRolesThatComeToPermitMore has an invariant of what roles permit: who holds one
// stands otherwise once that changes.
func TestRolesThatComeToPermitMore(t *testing.T) {
	const violations = `package verdict.invariants

violations contains ref if {
	some ref in input.subjects
	permitted := {permission | some grant in data.directory.ref[ref].grants; some permission, _ in data.directory.ref[grant.role].permissions}
	count(permitted & {"payment:prepare", "payment:approve"}) == 2
}
`
	for _, test := range []struct{ name, module, want string }{
		{"each role matters", violations, "the policy does not let this be: user:carla"},
		{"the role matters", violations + "\nroles := {\"role:clerk\"}\n", "the policy does not let this be: user:carla"},
		{"the one above matters", violations + "\nroles := {\"role:chief\"}\n", "the policy does not let this be: user:carla"},
		{"neither matters", violations + "\nroles := {\"role:other\"}\n", ""},
	} {
		t.Run(test.name, func(t *testing.T) {
			d := newDirectory(t, always(made(t, test.module)))
			mustWrite(t, d,
				`{"entity":{"type":"role","id":"clerk","attributes":{"permissions":["payment:prepare"]}}}`, `{"entity":{"type":"role","id":"chief","parents":["role:clerk"]}}`,
				`{"entity":{"type":"user","id":"carla","parents":["group:chiefs"]}}`, grantLine("g", "group:chiefs", "chief", ""))
			wantError(t, write(t, d, "", `{"entity":{"type":"role","id":"clerk","attributes":{"permissions":["payment:prepare","payment:approve"]}}}`), authz.FailedPrecondition, test.want)
		})
	}
}

// TestGrantsThatAreTaken has an invariant that a grant keeps: who loses it is asked about.
func TestGrantsThatAreTaken(t *testing.T) {
	rules := map[string]eval.Rule{}
	d := newDirectory(t, func(string) (map[string]eval.Rule, error) { return rules, nil })
	mustWrite(t, d, `{"entity":{"type":"user","id":"kim"}}`, `{"entity":{"type":"user","id":"mina"}}`, grantLine("g", "user:kim", "employee", ""))
	rules = made(t, `package verdict.invariants

violations contains ref if {
	some ref in input.subjects
	count(data.directory.ref[ref].grants) == 0
}
`)
	const want = "the policy does not let this be: user:kim"
	wantError(t, write(t, d, "", `{"delete":{"grant":"g"}}`), authz.FailedPrecondition, want)
	wantError(t, write(t, d, "", grantLine("g", "user:mina", "employee", "")), authz.FailedPrecondition, want)
}

// TestAllWhoAreAffectedAreAskedAbout has more of them than one question asks about, of
// which only the last may not be.
func TestAllWhoAreAffectedAreAskedAbout(t *testing.T) {
	d := newDirectory(t, always(made(t, "package verdict.invariants\n\nviolations contains ref if {\n\tsome ref in input.subjects\n\tref == \"user:last\"\n\tdata.directory.ref[ref]\n}")))
	lines := make([]string, 0, 500)
	for i := range cap(lines) - 1 {
		lines = append(lines, fmt.Sprintf(`{"entity":{"type":"user","id":"u%d"}}`, i))
	}
	lines = append(lines, `{"entity":{"type":"user","id":"last"}}`)
	wantError(t, write(t, d, "", lines...), authz.FailedPrecondition, "the policy does not let this be: user:last")
}

// TestRolesAreConcernedAsTheyAreThen has the policy read from the directory which roles
// matter: those that do once the write is made.
func TestRolesAreConcernedAsTheyAreThen(t *testing.T) {
	d := newDirectory(t, always(made(t, `package verdict.invariants

roles := {role | some role in data.directory.policy.roles.attributes.matter}

violations contains ref if {
	some ref in input.subjects
	count(data.directory.ref[ref].grants) > 0
}
`)))
	mustWrite(t, d, `{"entity":{"type":"user","id":"kim"}}`, `{"entity":{"type":"policy","id":"roles","attributes":{"matter":[]}}}`)
	mustWrite(t, d, grantLine("a", "user:kim", "clerk", ""))
	mustWrite(t, d, `{"delete":{"grant":"a"}}`)
	wantError(t, write(t, d, "", `{"entity":{"type":"policy","id":"roles","attributes":{"matter":["role:clerk"]}}}`, grantLine("a", "user:kim", "clerk", "")),
		authz.FailedPrecondition, "the policy does not let this be: user:kim")
}

// TestWhatIsAmissKeepsNobodyFromWriting has a conflict from before the policy knew it.
func TestWhatIsAmissKeepsNobodyFromWriting(t *testing.T) {
	rules := map[string]eval.Rule{}
	d := newDirectory(t, func(string) (map[string]eval.Rule, error) { return rules, nil })
	mustWrite(t, d, `{"entity":{"type":"user","id":"kim"}}`, grantLine("a", "user:kim", "payment_approver", ""), grantLine("b", "user:kim", "payment_preparer", ""))
	rules = rulesOf(t, bundles.FS, "workforce", closure.New())
	mustWrite(t, d, `{"entity":{"type":"user","id":"kim","attributes":{"title":"clerk"}}}`)
	mustWrite(t, d, grantLine("a", "user:kim", "payment_approver", `,"reason":"until the end of the audit"`))
	wantError(t, write(t, d, "", grantLine("c", "user:kim", "payment_preparer", "")), authz.FailedPrecondition, "role:payment_approver by grant a and role:payment_preparer by grant c")
	mustWrite(t, d, `{"delete":{"grant":"a"}}`)
	wantError(t, write(t, d, "", grantLine("a", "user:kim", "payment_approver", "")), authz.FailedPrecondition, "user:kim cannot have")
}

// TestDelegationAtWriteTime is W13: a manager gives roles inside their subtree only,
// none above their own, and none to themselves.
func TestDelegationAtWriteTime(t *testing.T) {
	lead := `{"grant":{"id":"g","subject":"user:nils","role":"role:team_lead","scope":"team:platform"}}`
	giving := func(subject, role, scope string) string {
		return fmt.Sprintf(`{"grant":{"id":"g","subject":%q,"role":%q,"scope":%q}}`, subject, role, scope)
	}
	tests := []struct {
		name, person string
		before       []string
		write        []string
		want         string
	}{
		{"a junior role in their subtree", "dan", nil, []string{lead}, ""},
		{"for a time", "dan", nil, []string{`{"grant":{"id":"g","subject":"user:nils","role":"role:team_lead","scope":"team:platform","not_before":"2026-01-01T00:00:00Z","not_after":"2027-01-01T00:00:00Z","reason":"leave"}}`}, ""},
		{"taken again", "dan", []string{lead}, []string{`{"delete":{"grant":"g"}}`}, ""},
		{"what changes nothing", "nils", []string{lead}, []string{lead}, ""},
		{"a role above their own", "dan", nil, []string{giving("user:nils", "role:division_head", "team:platform")}, "user:dan may not make these changes: g: Nobody may give a role that is not at or below the one by which they give it here."},
		{"outside their subtree", "dan", nil, []string{giving("user:ivan", "role:team_lead", "team:platform")}, "g: A role may be given only to those in the subject's own part of the organization."},
		{"on a scope outside their subtree", "dan", nil, []string{giving("user:nils", "role:team_lead", "department:it")}, "g: No grant in force gives user:dan the permission department:grant_role on department:it."},
		{"to themselves", "dan", nil, []string{giving("user:dan", "role:team_lead", "team:platform")}, "g: Nobody may give a role to themselves, nor to what they belong to."},
		{"to what they belong to", "dan", nil, []string{giving("department:engineering", "role:team_lead", "team:platform")}, "nor to what they belong to."},
		{"on the whole tenant", "dan", nil, []string{giving("user:nils", "role:team_lead", "tenant:workforce")}, "The directory does not know the resource tenant:workforce."},
		{"taken from who has more", "dan", []string{giving("user:nils", "role:division_head", "team:platform")}, []string{`{"delete":{"grant":"g"}}`}, "Nobody may give a role that is not at or below"},
		{"by somebody who may give nothing", "nils", nil, []string{giving("user:wanda", "role:team_lead", "team:web")}, "No grant in force gives user:nils"},
		{"by somebody who has left", "lea", nil, []string{lead}, "user:lea is not active"},
		{"by nobody", "nobody", nil, []string{lead}, "The directory does not know the subject user:nobody."},
		{"an entity", "dan", nil, []string{lead, `{"entity":{"type":"user","id":"nils","parents":["department:engineering"]}}`}, "On behalf of a person only grants can be written, and not user:nils."},
		{"their subtree first widened in the same write", "dan", nil, []string{`{"entity":{"type":"department","id":"it","parents":["department:engineering"]}}`, giving("user:ivan", "role:team_lead", "team:platform")}, "user:dan may not make these changes"},
		{"an entity deleted with its grants", "dan", []string{lead}, []string{`{"delete":{"entity":"user:nils"}}`}, "On behalf of a person only grants"},
	}
	for _, evaluator := range []eval.Evaluator{closure.New(), topdown.New()} {
		rules := workforceRules(t, evaluator)
		for _, test := range tests {
			t.Run(evaluator.Name()+"/"+test.name, func(t *testing.T) {
				d := workforce(t, rules)
				if len(test.before) > 0 {
					mustWrite(t, d, test.before...)
				}
				wantError(t, write(t, d, test.person, test.write...), authz.PermissionDenied, test.want)
			})
		}
	}
}

// TestDelegatedWritesRestOnWhatIsCommitted has a manager lose the right to give roles
// while writes on their behalf come in: each is made before that, or refused.
func TestDelegatedWritesRestOnWhatIsCommitted(t *testing.T) {
	d := workforce(t, workforceRules(t, closure.New()))
	const writers = 4
	type made struct {
		revision uint64
		err      error
	}
	results := make(chan made)
	for i := range writers {
		go func() {
			for n := 0; ; n++ {
				role := authz.EntityRef{Type: "role", ID: "team_lead"}
				grant := authz.Grant{ID: fmt.Sprintf("g-%d-%d", i, n), Subject: authz.EntityRef{Type: "user", ID: "nils"}, Role: role, Scope: authz.EntityRef{Type: "team", ID: "platform"}}
				revision, err := d.Write(t.Context(), tenant, authz.Batch{
					Author: authz.Author{OnBehalfOf: authz.EntityRef{Type: "user", ID: "dan"}}, Changes: []authz.Change{{PutGrant: &grant}},
				})
				results <- made{revision, err}
				if err != nil {
					return
				}
			}
		}()
	}
	var latest uint64
	for range 20 {
		result := <-results
		if result.err != nil {
			t.Fatal(result.err)
		}
	}
	taken := make(chan uint64, 1)
	go func() {
		id := "dan-head"
		revision, err := d.Write(t.Context(), tenant, authz.Batch{Changes: []authz.Change{{DeleteGrant: &id}}})
		if err != nil {
			t.Error(err)
		}
		taken <- revision
	}()
	for refused := 0; refused < writers; {
		result := <-results
		if result.err != nil {
			refused++
			wantError(t, result.err, authz.PermissionDenied, "user:dan may not make these changes")
			continue
		}
		latest = max(latest, result.revision)
	}
	// One of the same revision was made before: both were on disk at once.
	if at := <-taken; latest > at {
		t.Errorf("a role is given at revision %d, and the right to was taken at %d", latest, at)
	}
}

// TestConcurrentGrantsDoNotConflict has two writes that are right alone, and wrong
// together, at the same time.
func TestConcurrentGrantsDoNotConflict(t *testing.T) {
	d := workforce(t, workforceRules(t, closure.New()))
	for i := range 20 {
		subject := fmt.Sprintf("user:new-%d", i)
		mustWrite(t, d, fmt.Sprintf(`{"entity":{"type":"user","id":"new-%d"}}`, i))
		errs := make(chan error)
		for _, role := range []string{"payment_preparer", "payment_approver"} {
			go func() { errs <- write(t, d, "", grantLine(subject+role, subject, role, "")) }()
		}
		first, second := <-errs, <-errs
		if (first == nil) == (second == nil) {
			t.Fatalf("of two grants that conflict, the writes end with %v and %v", first, second)
		}
	}
}

func TestImportsAreAsked(t *testing.T) {
	lines := strings.Join([]string{
		`{"entity":{"type":"user","id":"kim"}}`,
		grantLine("a", "user:kim", "payment_preparer", ""),
		grantLine("b", "user:kim", "payment_approver", ""),
		grantLine("c", "user:kim", "app_user", ""),
	}, "\n")
	d := workforce(t, workforceRules(t, closure.New()))
	_, err := d.Import(t.Context(), tenant, strings.NewReader(lines), directory.ImportOptions{})
	wantError(t, err, authz.FailedPrecondition, "lines 1 to 4: the policy does not let this be: user:kim cannot have role:payment_preparer by grant a and role:payment_approver by grant b at a time")
	_, before := d.Revisions()
	for range 2 { // nothing is written
		report, err := d.Import(t.Context(), tenant, strings.NewReader(lines), directory.ImportOptions{ValidateOnly: true})
		if _, after := d.Revisions(); err != nil || after != before || report.Refused != 1 || report.Errors[0].Line != 3 || !strings.Contains(report.Errors[0].Message, "by grant b at a time") {
			t.Errorf("an import that is only validated: %+v, %v; revision %d after %d", report, err, after, before)
		}
	}
	report, err := d.Import(t.Context(), tenant, strings.NewReader(lines), directory.ImportOptions{KeepGoing: true})
	if err != nil || report.Applied != 3 || report.Refused != 1 || report.Errors[0].Line != 3 || !strings.Contains(report.Errors[0].Message, "by grant b at a time") {
		t.Errorf("an import that keeps going: %+v, %v", report, err)
	}
	validating := directory.ImportOptions{ValidateOnly: true, Author: authz.Author{OnBehalfOf: authz.EntityRef{Type: "user", ID: "dan"}}}
	report, err = d.Import(t.Context(), tenant, strings.NewReader(`{"delete":{"grant":"c"}}`), validating)
	if err != nil || report.Refused != 1 || !strings.Contains(report.Errors[0].Message, "user:dan may not make these changes") {
		t.Errorf("an import for a person that is only validated: %+v, %v", report, err)
	}
	dan := directory.ImportOptions{Author: authz.Author{OnBehalfOf: authz.EntityRef{Type: "user", ID: "dan"}}}
	_, err = d.Import(t.Context(), tenant, strings.NewReader(`{"delete":{"grant":"c"}}`), dan)
	wantError(t, err, authz.PermissionDenied, "line")
}

// TestValidatingAsksAboutTheFirstBatch has a conflict in it, and one in the next: of
// that the policy is asked when it is written.
func TestValidatingAsksAboutTheFirstBatch(t *testing.T) {
	var lines strings.Builder
	for i := range authz.MaxBatchChanges - 2 {
		fmt.Fprintf(&lines, "{\"grant\":{\"id\":\"filler-%d\",\"subject\":\"user:tom\",\"role\":\"role:app_user\"}}\n", i%100)
	}
	for _, id := range []string{"first", "second"} {
		lines.WriteString(grantLine(id+"-a", "user:carla", "payment_approver", "") + "\n" + grantLine(id+"-b", "user:carla", "app_user", "") + "\n")
	}
	d := workforce(t, workforceRules(t, closure.New()))
	report, err := d.Import(t.Context(), tenant, strings.NewReader(lines.String()), directory.ImportOptions{ValidateOnly: true})
	if err != nil || report.Refused != 1 || report.Errors[0].Line != authz.MaxBatchChanges-1 {
		t.Errorf("validated: %+v, %v", report, err)
	}
	report, err = d.Import(t.Context(), tenant, strings.NewReader(lines.String()), directory.ImportOptions{KeepGoing: true})
	if err != nil || report.Refused != 2 {
		t.Errorf("imported: %+v, %v", report, err)
	}
}

func TestPoliciesThatCannotBeAsked(t *testing.T) {
	mina := `{"entity":{"type":"user","id":"mina","parents":["group:g"]}}`
	tests := []struct {
		name, module, person string
		kind                 authz.Kind
		want                 string
	}{
		{"neither package", "package other\n\nx := 1", "", 0, ""},
		{"no delegation", "package other\n\nx := 1", "dan", authz.PermissionDenied, "nothing may be written on behalf of \"user:dan\": the policy of tenant workforce has no rule data.verdict.delegation.allow"},
		{"delegation that is undefined", "package verdict.delegation\n\nallow if input.nothing", "dan", authz.PermissionDenied, "user:dan may not make these changes"},
		{"delegation that is no boolean", "package verdict.delegation\n\nallow := \"yes\"", "dan", authz.PermissionDenied, "user:dan may not make these changes"},
		{"delegation that errs", "package verdict.delegation\n\nallow if 1 / (count(input.changes) - 1) == 1", "dan", authz.FailedPrecondition, "the policy cannot be asked about the write"},
		{"reasons that are none", "package verdict.delegation\n\nallow := false\n\nreasons := {1}", "dan", authz.FailedPrecondition, "data.verdict.delegation.reasons is no set of texts"},
		{"all that is said of a change", `package verdict.delegation

allow if {
	input.tenant == "workforce"
	input.person == "user:dan"
	input.reason == "because"
	input.caller == {"subject": "service:portal", "method": "mtls", "address": "10.0.0.7"}
	input.changes == [{"entity": "user:mina", "after": {"type": "user", "id": "mina", "ref": "user:mina", "attributes": {}, "parents": ["group:g"]}}]
	not data.directory.user.mina
}`, "dan", 0, ""},
		{"many reasons", "package verdict.delegation\n\nallow := false\n\nreasons := {sprintf(\"r%02d\", [i]) | some i in numbers.range(1, 12)}", "dan", authz.PermissionDenied, "r10; and 2 more"},
		{"violations that are none", "package verdict.invariants\n\nviolations := true", "", authz.FailedPrecondition, "data.verdict.invariants.violations is no set of texts"},
		{"violations that err", "package verdict.invariants\n\nviolations := {1 / (count(input.subjects) - 1)}", "", authz.FailedPrecondition, "the policy cannot be asked about the write"},
		{"roles that are none", "package verdict.invariants\n\nviolations := set()\n\nroles := {\"nurse\"}", "", authz.FailedPrecondition, "data.verdict.invariants.roles has \"nurse\", which is no role"},
		{"all entities", "package verdict.invariants\n\nviolations := {id | some id, _ in data.directory.user}", "", authz.FailedPrecondition, "cannot go through all entities"},
		{"a state that must not be", "package verdict.invariants\n\nviolations contains ref if {\n\tsome ref in input.subjects\n\tdata.directory.ref[ref].parents[_] == \"group:g\"\n}", "", authz.FailedPrecondition, "the policy does not let this be: user:mina"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			d := newDirectory(t, always(made(t, test.module)))
			wantError(t, write(t, d, test.person, mina), test.kind, test.want)
		})
	}
}

// TestWhatTheQuestionMayCost has a policy that reads two entities and goes through some
// numbers.
func TestWhatTheQuestionMayCost(t *testing.T) {
	const module = `package verdict.invariants

violations contains "never" if {
	data.directory.group.a.attributes.n + data.directory.group.b.attributes.n == 2
	some i in numbers.range(1, 1000)
	i + count(input.subjects) == 0
}`
	tests := []struct {
		name   string
		narrow func(*writepolicy.Limits)
		want   string
	}{
		{"little enough", func(l *writepolicy.Limits) { l.Entities = 2 }, ""},
		{"entities", func(l *writepolicy.Limits) { l.Entities = 1 }, "entities"},
		{"steps", func(l *writepolicy.Limits) { l.Steps = 1000 }, "steps"},
		{"time", func(l *writepolicy.Limits) { l.Evaluation = 1 }, "did not come to its end about the write within 1ns"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			rules, limits := map[string]eval.Rule{}, wide
			test.narrow(&limits)
			d := newBoundedDirectory(t, func(string) (map[string]eval.Rule, error) { return rules, nil }, limits)
			mustWrite(t, d, `{"entity":{"type":"group","id":"a","attributes":{"n":1}}}`, `{"entity":{"type":"group","id":"b","attributes":{"n":1}}}`)
			rules = made(t, module)
			wantError(t, write(t, d, "", `{"entity":{"type":"user","id":"mina"}}`), authz.LimitExceeded, test.want)
		})
	}
}

func TestWritesWithoutAPolicyAreRefused(t *testing.T) {
	d := newDirectory(t, func(string) (map[string]eval.Rule, error) {
		return nil, authz.Errorf(authz.Unavailable, "there is no policy")
	})
	wantError(t, write(t, d, "", `{"entity":{"type":"user","id":"mina"}}`), authz.Unavailable, "it is not known what may be written: there is no policy")
}

func TestWritesEndWithTheirContext(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	d := newDirectory(t, func(string) (map[string]eval.Rule, error) {
		cancel()
		return made(t, "package verdict.invariants\n\nviolations := {x | some x in numbers.range(1, 100)}"), nil
	})
	_, err := d.Write(ctx, tenant, authz.Batch{Changes: []authz.Change{{PutEntity: &authz.Entity{Ref: authz.EntityRef{Type: "user", ID: "mina"}}}}})
	if authz.KindOf(err) != authz.Canceled {
		t.Errorf("the write ended with %v", err)
	}
}

// TestWritesThatAffectManyAreRefused has a group, the four people in it, and bounds
// around them.
func TestWritesThatAffectManyAreRefused(t *testing.T) {
	rules := made(t, "package verdict.invariants\n\nviolations contains \"all five\" if {\n\tcount(input.subjects) == 5\n\tdata.directory.group.all.grants[_].id == \"more\"\n}")
	asked := map[string]eval.Rule{}
	for _, test := range []struct {
		most int
		kind authz.Kind
		want string
	}{
		{4, authz.LimitExceeded, "the write has more than 4 entities stand otherwise than before"},
		{5, authz.FailedPrecondition, "all five"},
	} {
		asked = map[string]eval.Rule{}
		limits := wide
		limits.Subjects = test.most
		d := newBoundedDirectory(t, func(string) (map[string]eval.Rule, error) { return asked, nil }, limits)
		for i := range 4 {
			mustWrite(t, d, fmt.Sprintf(`{"entity":{"type":"user","id":"u%d","parents":["group:all"]}}`, i))
		}
		mustWrite(t, d, `{"entity":{"type":"group","id":"all"}}`)
		asked = rules
		wantError(t, write(t, d, "", grantLine("more", "group:all", "other", "")), test.kind, test.want)
	}
}
