package databases

import (
	"cmp"
	"context"
	"database/sql"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"os"
	"slices"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	_ "github.com/jackc/pgx/v5/stdlib"
	_ "modernc.org/sqlite"

	"github.com/verdictpdp/verdict/api/authz"
	"github.com/verdictpdp/verdict/bundles"
	"github.com/verdictpdp/verdict/engine/eval/topdown"
	"github.com/verdictpdp/verdict/engine/pdp"
	"github.com/verdictpdp/verdict/engine/pip"
	"github.com/verdictpdp/verdict/engine/pip/piptest"
	"github.com/verdictpdp/verdict/engine/plan"
	"github.com/verdictpdp/verdict/policy/bundle"
	"github.com/verdictpdp/verdict/policy/rego"
)

// A database is one that a filter is tried on.
type database struct {
	*sql.DB
	dialect plan.Dialect
}

func (d database) exec(t testing.TB, statement string, parameters ...any) {
	t.Helper()
	if _, err := d.ExecContext(t.Context(), statement, parameters...); err != nil {
		t.Fatalf("%s: %v", statement, err)
	}
}

// databases are those there are, each with the tables of documents, which are empty.
func databases(t testing.TB) (all []database) {
	t.Helper()
	open := func(driver, source string, dialect plan.Dialect) database {
		db, err := sql.Open(driver, source)
		if err != nil {
			t.Fatal(err)
		}
		db.SetMaxOpenConns(1) // a database in memory is one connection's
		t.Cleanup(func() { _ = db.Close() })
		return database{db, dialect}
	}
	all = append(all, open("sqlite", ":memory:", plan.SQLite))
	if source := os.Getenv("VERDICT_POSTGRES"); source != "" {
		db := open("pgx", source, plan.PostgreSQL)
		db.exec(t, `DROP SCHEMA IF EXISTS verdict_test CASCADE`)
		db.exec(t, `CREATE SCHEMA verdict_test`)
		db.exec(t, `SET search_path TO verdict_test`)
		t.Cleanup(func() { _, _ = db.ExecContext(context.Background(), `DROP SCHEMA verdict_test CASCADE`) })
		all = append(all, db)
	}
	for _, db := range all {
		truths := "INTEGER"
		nocase := " COLLATE NOCASE"
		if db.dialect == plan.PostgreSQL {
			truths, nocase = "BOOLEAN", ""
		}
		// Names that have to be quoted, and a collation that finds more than is equal.
		db.exec(t, `CREATE TABLE "the ""docs""" (id TEXT PRIMARY KEY, "owner'ref" TEXT`+nocase+`, title TEXT, pages NUMERIC, "select" `+truths+`)`)
		db.exec(t, `CREATE TABLE tags (doc TEXT, tag TEXT)`)
		db.exec(t, `CREATE TABLE above (doc TEXT, ref TEXT)`)
		db.exec(t, `CREATE TABLE parents (doc TEXT, ref TEXT)`)
	}
	return all
}

const mapping = `{"verdict": {"plan": {"doc": {
	"table": "the \"docs\"",
	"id": {"column": "id"},
	"columns": {
		"owner": {"column": "owner'ref", "type": "string"},
		"title": {"column": "title", "type": "string"},
		"pages": {"column": "pages", "type": "number"},
		"open": {"column": "select", "type": "boolean"},
		"tags": {"table": "tags", "key": "doc", "column": "tag"}
	},
	"ancestors": {"table": "above", "key": "doc", "column": "ref"},
	"parents": {"table": "parents", "key": "doc", "column": "ref"}
}}}}`

// A doc is a row, and an entity.
type doc struct {
	id           string
	owner, title *string
	pages        *json.Number
	open         *bool
	tags         []string
	parents      []string
}

func (d doc) entity() authz.Entity {
	attributes := authz.Object{"tags": d.tags}
	if d.owner != nil {
		attributes["owner"] = *d.owner
	}
	if d.title != nil {
		attributes["title"] = *d.title
	}
	if d.pages != nil {
		attributes["pages"] = *d.pages
	}
	if d.open != nil {
		attributes["open"] = *d.open
	}
	e := authz.Entity{Ref: authz.EntityRef{Type: "doc", ID: d.id}}
	e.Attributes, _ = json.Marshal(attributes)
	for _, parent := range d.parents {
		e.Parents = append(e.Parents, ref(parent))
	}
	return e
}

func ref(text string) authz.EntityRef {
	typ, id, _ := strings.Cut(text, ":")
	return authz.EntityRef{Type: typ, ID: id}
}

// above are the departments above a parent, itself included.
var above = map[string][]string{"department:a": {"department:a", "department:b"}, "department:b": {"department:b"}}

func (db database) insert(t testing.TB, docs []doc) {
	t.Helper()
	for _, table := range []string{`"the ""docs"""`, "tags", "above", "parents"} {
		db.exec(t, "DELETE FROM "+table)
	}
	two, five := "?, ?", "?, ?, ?, ?, ?"
	if db.dialect == plan.PostgreSQL {
		two, five = "$1, $2", "$1, $2, $3, $4::text::numeric, $5"
	}
	for _, d := range docs {
		var pages any
		if d.pages != nil {
			pages = d.pages.String()
		}
		db.exec(t, `INSERT INTO "the ""docs""" VALUES (`+five+`)`, d.id, d.owner, d.title, pages, d.open)
		for _, tag := range d.tags {
			db.exec(t, `INSERT INTO tags VALUES (`+two+`)`, d.id, tag)
		}
		for _, parent := range d.parents {
			db.exec(t, `INSERT INTO parents VALUES (`+two+`)`, d.id, parent)
			for _, ref := range above[parent] {
				db.exec(t, `INSERT INTO above VALUES (`+two+`)`, d.id, ref)
			}
		}
	}
}

// rows are the ids that a plan takes in.
func (db database) rows(t testing.TB, p plan.Plan) (ids []string) {
	t.Helper()
	where, parameters := "1 = 0", []any(nil)
	switch p.Effect {
	case plan.Always:
		where = "1 = 1"
	case plan.Conditional:
		where, parameters = p.SQL.Where, p.SQL.Parameters
	}
	found, err := db.QueryContext(t.Context(), `SELECT id FROM "the ""docs""" WHERE `+where, parameters...)
	if err != nil {
		t.Fatalf("%s, %q: %v", where, parameters, err)
	}
	defer found.Close()
	for found.Next() {
		var id string
		if err := found.Scan(&id); err != nil {
			t.Fatal(err)
		}
		ids = append(ids, id)
	}
	if err := found.Err(); err != nil {
		t.Fatal(err)
	}
	slices.Sort(ids)
	return ids
}

// A world is a policy and a directory.
type world struct {
	directory *piptest.Directory
	point     *pdp.PDP
}

func newWorld(t testing.TB, source string, changes ...authz.Change) (*world, error) {
	t.Helper()
	library, err := bundle.ReadFS(bundles.FS, "lib")
	if err != nil {
		t.Fatal(err)
	}
	own, err := bundle.ReadFS(fstest.MapFS{"authz.rego": {Data: []byte(source)}, "data.json": {Data: []byte(mapping)}}, ".")
	if err != nil {
		return nil, err
	}
	policy, err := rego.Compile(own.With(library), rego.Options{})
	if err != nil {
		return nil, err
	}
	program, err := topdown.New().Prepare(t.Context(), policy)
	if err != nil {
		t.Fatal(err)
	}
	w := &world{directory: piptest.New("t")}
	w.directory.Write(changes...)
	w.point = pdp.New(pdp.Options{
		Policy: func(string) (pdp.Policy, error) {
			return pdp.Policy{Program: program, Compiled: policy, Revision: "p1"}, nil
		},
		Snapshot: func(context.Context, string, authz.Consistency) (pdp.Snapshot, error) {
			return closer{w.directory.Latest()}, nil
		},
		Cache:  pip.NewCache(pip.Options{}),
		Limits: pdp.Limits{Evaluation: 10 * time.Second},
	})
	return w, nil
}

type closer struct{ *piptest.Snapshot }

func (closer) Close() {}

// allowed are the documents that decisions allow. One that the policy fails for is
// denied.
func (w *world) allowed(t testing.TB, request authz.Request, docs []doc) (ids []string) {
	t.Helper()
	for _, d := range docs {
		request.Resource.ID = d.id
		decision, err := w.point.Decide(t.Context(), &request, pdp.DecideOptions{})
		if err != nil {
			t.Fatal(err)
		}
		if decision.Allowed {
			ids = append(ids, d.id)
		}
	}
	slices.Sort(ids)
	return ids
}

func pointer[T any](value T) *T { return &value }

var (
	textValues   = []string{"a", "A", "b", "", "a'b", `a"b`, "a%", "a_b", "É", "é", "日本", "user:u1", "user:U1", "user:u2", `\`, "a ", "NULL", "1", "true", "$1", "?"}
	numberValues = []json.Number{"0", "1", "2", "-1", "1.5", "0.1", "10", "100", "2.0", "9007199254740993", "1e3"}
	tagValues    = []string{"x", "y", "user:u1", "X", ""}
)

// A generator writes policies and documents.
type generator struct{ *rand.Rand }

func (g generator) pick(options ...string) string { return options[g.IntN(len(options))] }

func (g generator) documents() (docs []doc) {
	for i := range 24 {
		d := doc{id: cmp.Or(map[int]string{0: "a'b", 1: "u1", 2: "É", 3: `x" OR 1=1 --`, 4: "42"}[i], fmt.Sprintf("d%d", i)), tags: []string{}}
		if g.IntN(4) > 0 {
			d.owner = pointer(g.pick(textValues...))
		}
		if g.IntN(4) > 0 {
			d.title = pointer(g.pick(textValues...))
		}
		if g.IntN(4) > 0 {
			d.pages = pointer(numberValues[g.IntN(len(numberValues))])
		}
		if g.IntN(4) > 0 {
			d.open = pointer(g.IntN(2) == 0)
		}
		for _, tag := range tagValues {
			if g.IntN(4) == 0 {
				d.tags = append(d.tags, tag)
			}
		}
		for parent := range above {
			if g.IntN(3) == 0 {
				d.parents = append(d.parents, parent)
			}
		}
		docs = append(docs, d)
	}
	return docs
}

func (g generator) constant() string {
	var value any
	switch g.IntN(8) {
	case 0:
		value = nil
	case 1:
		value = g.IntN(2) == 0
	case 2, 3:
		value = numberValues[g.IntN(len(numberValues))]
	default:
		value = g.pick(textValues...)
	}
	text, _ := json.Marshal(value)
	return string(text)
}

func (g generator) text() string {
	text, _ := json.Marshal(g.pick(textValues...))
	return string(text)
}

func (g generator) condition() string {
	template := g.pick(
		"R.A == C", "R.A != C", "R.A < C", "R.A <= C", "R.A > C", "R.A >= C", "R.pages < N", "R.pages >= N", "R.title < T", "R.title >= T", "R.open != C", "R.open < true",
		"R.A in {C, D, T}", "R.A in [C, N, T]", "R.A", "not R.A", "not R.A == C", "not R.A < C", "not R.A in {C, D}", "R.owner == request.subject.ref", "not R.owner == request.subject.ref",
		"R.owner == request.subject.attributes.friend", "R.pages <= request.subject.attributes.level", "R.title in request.subject.attributes.titles",
		"T in R.tags", `"x" in R.tags`, `not "y" in R.tags`, `R.tags[_] == request.subject.ref`, "C in R.A", "some v in R.tags\n\tv in {\"x\", \"user:u1\"}",
		"startswith(R.title, T)", "endswith(R.owner, T)", "contains(R.title, T)", "not startswith(R.title, T)", `startswith(R.owner, "user:")`, "not contains(R.title, T)",
		`request.resource.ancestors["department:b"]`, `not request.resource.ancestors["department:a"]`, `"department:a" in request.resource.parents`, `request.resource.ancestors["doc:u1"]`,
		`not request.resource.parents[_] == "department:b"`, `count(hierarchy.ancestors_of_type(request.resource, "department")) > 0`, `some v in request.resource.ancestors`+"\n\t"+`startswith(v, "doc:d1")`,
		"input.resource.id == T", `input.resource.id in {"a'b", "d7", "É", "42"}`, "input.resource.id == input.subject.id", `request.resource.ref == "doc:d5"`, "is_string(R.A)", "is_number(R.A)", "not is_boolean(R.open)",
		`object.get(R, "A", C) == D`, `object.get(R, "A", C) == C`, "rbac.permitted", "helper(request.resource)", "not helper(request.resource)", "count(set) > 0", "count(set) == 0",
		"v := R.A\n\tnot v == C", "R.A == R.B", "every tag in R.tags { tag != T }", `request.subject.attributes.titles[_] == R.title`,
	)
	return strings.NewReplacer("R, \"A\"", fmt.Sprintf("request.resource.attributes, %q", g.attribute()), "R.", "request.resource.attributes.").Replace(
		g.fill(template))
}

func (g generator) attribute() string { return g.pick("owner", "title", "pages", "open") }

func (g generator) fill(template string) string {
	number, _ := json.Marshal(numberValues[g.IntN(len(numberValues))])
	return strings.NewReplacer("R.A", "R."+g.attribute(), "R.B", "R."+g.attribute(), "C", g.constant(), "D", g.constant(), "T", g.text(), "N", string(number)).Replace(template)
}

func (g generator) body() string {
	lines := make([]string, 1+g.IntN(3))
	for i := range lines {
		lines[i] = "\t" + g.condition()
	}
	return "{\n" + strings.Join(lines, "\n") + "\n}\n"
}

func (g generator) policy() string {
	var text strings.Builder
	text.WriteString("package authz\n\nimport rego.v2\n\nimport data.verdict.hierarchy\nimport data.verdict.rbac\nimport data.verdict.request\n\ndefault allow := false\n")
	for range 1 + g.IntN(3) {
		text.WriteString("allow if " + g.body())
	}
	for range g.IntN(3) {
		text.WriteString("deny contains " + g.pick(`"no"`, `sprintf("%v", [request.resource_ref])`) + " if " + g.body())
	}
	text.WriteString("helper(e) if {\n\te.attributes." + g.fill(g.attribute()+" == C") + "\n}\nhelper(e) if e.ancestors[\"department:a\"]\n")
	text.WriteString("set contains 1 if " + g.fill("request.resource.attributes."+g.attribute()+" != C") + "\nset contains 2 if " + g.fill("T in request.resource.attributes.tags\n"))
	return text.String()
}

// The rows that a filter takes in are those that decisions allow.
func TestRowsAreThoseThatDecisionsAllow(t *testing.T) {
	dbs := databases(t)
	seeds := 100
	if testing.Short() {
		seeds = 20
	}
	effects := make(map[plan.Effect]int)
	refused := 0
	for seed := range seeds {
		g := generator{rand.New(rand.NewPCG(uint64(seed), 11))}
		source, docs := g.policy(), g.documents()
		changes := []authz.Change{
			{PutEntity: &authz.Entity{Ref: ref("department:b")}},
			{PutEntity: &authz.Entity{Ref: ref("department:a"), Parents: []authz.EntityRef{ref("department:b")}}},
			{PutEntity: &authz.Entity{Ref: ref("role:r"), Attributes: json.RawMessage(`{"permissions": ["doc:read"]}`)}},
			{PutEntity: &authz.Entity{Ref: ref("user:u1"), Attributes: json.RawMessage(`{"friend": "user:u2", "level": 1.5, "titles": ["a'b", "É", 1]}`)}},
			{PutGrant: &authz.Grant{ID: "g", Subject: ref("user:u1"), Role: ref("role:r"), Scope: ref(g.pick("department:a", "department:b", "doc:d9", "tenant:t"))}},
		}
		for _, d := range docs {
			e := d.entity()
			changes = append(changes, authz.Change{PutEntity: &e})
		}
		w, err := newWorld(t, source, changes...)
		if err != nil {
			continue // such as a comparison of types that never fit
		}
		request := authz.Request{Tenant: "t", Subject: authz.Subject{Type: "user", ID: "u1"}, Action: authz.Action{Name: "read"}, Resource: authz.Resource{Type: "doc"}}
		want := w.allowed(t, request, docs)
		for _, db := range dbs {
			planned, err := w.point.Plan(t.Context(), pdp.PlanQuestion{Request: &request, Options: plan.Options{Dialect: db.dialect}})
			if err != nil {
				if authz.KindOf(err) != authz.FailedPrecondition {
					t.Fatalf("%v\n%s", err, source)
				}
				refused++
				continue
			}
			effects[planned.Effect]++
			db.insert(t, docs)
			if got := db.rows(t, planned.Plan); !slices.Equal(got, want) {
				t.Fatalf("seed %d: %s finds %q, decisions allow %q\n%s\n%s\n%+v", seed, db.dialect, got, want, planned.Condition, source, planned.SQL)
			}
		}
	}
	t.Logf("%v, refused %d", effects, refused)
	if effects[plan.Conditional] < seeds/3 {
		t.Error("too few policies are worth asking")
	}
}
