package plan

import (
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/verdictpdp/verdict/api/authz"
	"github.com/verdictpdp/verdict/engine/eval/residual"
)

const documents = `{
	"table": "docs", "id": "id",
	"columns": {
		"owner": {"column": "owner", "type": "string"}, "untyped": "title", "title": {"column": "title", "type": "string"}, "key": {"column": "key", "type": "uuid"}, "n": {"column": "n", "type": "number"}, "m": {"column": "m", "type": "number"}, "open": {"column": "open", "type": "boolean"}, "address.city": "city",
		"tags": {"table": "app.tags", "key": "doc", "column": "tag"}
	},
	"ancestors": {"table": "above", "key": "doc", "column": "ref"},
	"parents": {"table": "parents", "key": "doc", "column": "ref"}
}`

func decoded(t testing.TB, text string) (value any) {
	t.Helper()
	if err := json.Unmarshal([]byte(text), &value); err != nil {
		t.Fatal(err)
	}
	return value
}

func holds(op residual.Op, path string, values ...any) residual.Formula {
	c := residual.Condition{Op: op, Values: values, Reason: residual.Reason{Place: "authz.rego:7"}}
	if path != "" {
		c.Path = strings.Split(path, ".")
	}
	return residual.Formula{Op: residual.Holds, Condition: &c}
}

func both(path string, how residual.Op, other string) residual.Formula {
	f := holds(residual.Both, path)
	f.Condition.How, f.Condition.Other = how, strings.Split(other, ".")
	return f
}

func made(op residual.FormulaOp, of ...residual.Formula) residual.Formula {
	return residual.Formula{Op: op, Of: of}
}

// The SQL of each form, in SQLite's dialect where the dialects do not differ.
func TestSQL(t *testing.T) {
	one := json.Number("1")
	tests := []struct {
		name       string
		dialect    Dialect
		where      residual.Formula
		want       string
		parameters []any
	}{
		{"an id", SQLite, holds(residual.IDIn, "", "a'b"), `("docs"."id" IS NOT NULL AND "docs"."id" = ? AND CAST("docs"."id" AS BLOB) = CAST(? AS BLOB))`, []any{"a'b", "a'b"}},
		{"a text", SQLite, holds(residual.In, "owner", "a"), `("docs"."owner" IS NOT NULL AND "docs"."owner" = ? AND CAST("docs"."owner" AS BLOB) = CAST(? AS BLOB))`, []any{"a", "a"}},
		{"a text of several", SQLite, holds(residual.In, "owner", "a", one, nil, "b"), `("docs"."owner" IS NOT NULL AND "docs"."owner" IN (?, ?) AND CAST("docs"."owner" AS BLOB) IN (CAST(? AS BLOB), CAST(? AS BLOB)))`, []any{"a", "b", "a", "b"}},
		{"a text, in PostgreSQL", PostgreSQL, holds(residual.In, "owner", "a", "b"),
			`("docs"."owner" IS NOT NULL AND "docs"."owner" IN ($1::text, $2::text) AND "docs"."owner"::text COLLATE "C" IN ($3::text, $4::text))`, []any{"a", "b", "a", "b"}},
		{"a text, in MySQL", MySQL, holds(residual.In, "owner", "a"),
			"(`docs`.`owner` IS NOT NULL AND `docs`.`owner` = ? AND CAST(CONVERT(`docs`.`owner` USING utf8mb4) AS BINARY) = CAST(CONVERT(? USING utf8mb4) AS BINARY))", []any{"a", "a"}},
		{"an UUID, in PostgreSQL, and what is none", PostgreSQL, holds(residual.In, "key", "0b4a2fd1-0000-4000-8000-00000000000a", "0B4A2FD1-0000-4000-8000-00000000000A", "a"),
			`("docs"."key" IS NOT NULL AND "docs"."key" = $1::uuid)`, []any{"0b4a2fd1-0000-4000-8000-00000000000a"}},
		{"the beginning of an UUID, in PostgreSQL", PostgreSQL, holds(residual.StartsWith, "key", "0b"), `("docs"."key" IS NOT NULL AND left("docs"."key"::text COLLATE "C", length($1::text)) = $2::text)`, []any{"0b", "0b"}},
		{"an UUID, a text elsewhere", SQLite, holds(residual.In, "key", "A"), `("docs"."key" IS NOT NULL AND "docs"."key" = ? AND CAST("docs"."key" AS BLOB) = CAST(? AS BLOB))`, []any{"A", "A"}},
		{"an UUID is a string", SQLite, holds(residual.Is, "key", "string"), `"docs"."key" IS NOT NULL`, nil},
		{"a number", SQLite, holds(residual.In, "n", json.Number("1.0")), `("docs"."n" IS NOT NULL AND "docs"."n" = ?)`, []any{int64(1)}},
		{"a number with a point", SQLite, holds(residual.Less, "n", json.Number("0.1")), `("docs"."n" IS NOT NULL AND "docs"."n" < ?)`, []any{0.1}},
		{"a number with a point, in PostgreSQL", PostgreSQL, holds(residual.Less, "n", json.Number("1e-1")), `("docs"."n" IS NOT NULL AND "docs"."n" < $1::numeric)`, []any{"0.1"}},
		{"a number with a point, in MySQL", MySQL, holds(residual.Less, "n", json.Number("0.10")), "(`docs`.`n` IS NOT NULL AND `docs`.`n` < CAST(? AS DECIMAL(65, 30)))", []any{"0.1"}},
		{"a boolean", SQLite, holds(residual.In, "open", true), `("docs"."open" IS NOT NULL AND "docs"."open" = 1)`, nil},
		{"a boolean, in PostgreSQL", PostgreSQL, holds(residual.In, "open", false), `("docs"."open" IS NOT NULL AND "docs"."open" = FALSE)`, nil},
		{"any boolean", SQLite, holds(residual.In, "open", false, true), `"docs"."open" IS NOT NULL`, nil},
		{"booleans in order", SQLite, holds(residual.Less, "open", true), `("docs"."open" IS NOT NULL AND "docs"."open" = 0)`, nil},
		{"an attribute in an attribute", SQLite, holds(residual.Defined, "address.city"), `"docs"."city" IS NOT NULL`, nil},
		{"what differs", SQLite, holds(residual.NotEqual, "owner", "a"), `("docs"."owner" IS NOT NULL AND CAST("docs"."owner" AS BLOB) <> CAST(? AS BLOB))`, []any{"a"}},
		{"what is of another type, and so differs", SQLite, holds(residual.NotEqual, "owner", one), `"docs"."owner" IS NOT NULL`, nil},
		{"a text, after a number", SQLite, holds(residual.Greater, "owner", one), `"docs"."owner" IS NOT NULL`, nil},
		{"a number, before a text", SQLite, holds(residual.LessOrEqual, "n", "a"), `"docs"."n" IS NOT NULL`, nil},
		{"a type", SQLite, holds(residual.Is, "n", "number"), `"docs"."n" IS NOT NULL`, nil},
		{"a beginning", SQLite, holds(residual.StartsWith, "owner", "a%"),
			`("docs"."owner" IS NOT NULL AND ifnull(substr(CAST("docs"."owner" AS BLOB), 1, length(CAST(? AS BLOB))), 0) = CAST(? AS BLOB))`, []any{"a%", "a%"}},
		{"an end", PostgreSQL, holds(residual.EndsWith, "owner", "a"),
			`("docs"."owner" IS NOT NULL AND right("docs"."owner"::text COLLATE "C", length($1::text)) = $2::text)`, []any{"a", "a"}},
		{"a part", MySQL, holds(residual.Contains, "owner", "a"),
			"(`docs`.`owner` IS NOT NULL AND instr(CAST(CONVERT(`docs`.`owner` USING utf8mb4) AS BINARY), CAST(CONVERT(? USING utf8mb4) AS BINARY)) > 0)", []any{"a"}},
		{"an empty part", SQLite, holds(residual.Contains, "owner", ""), `"docs"."owner" IS NOT NULL`, nil},
		{"an element", SQLite, holds(residual.Has, "tags", "x", "y"),
			`EXISTS (SELECT 1 FROM "app"."tags" AS "verdict_1" WHERE "docs"."id" = "verdict_1"."doc" AND ("verdict_1"."tag" IS NOT NULL AND "verdict_1"."tag" IN (?, ?) AND CAST("verdict_1"."tag" AS BLOB) IN (CAST(? AS BLOB), CAST(? AS BLOB))))`, []any{"x", "y", "x", "y"}},
		{"what is above", SQLite, holds(residual.Ancestor, "", "department:a"),
			`EXISTS (SELECT 1 FROM "above" AS "verdict_1" WHERE "docs"."id" = "verdict_1"."doc" AND ("verdict_1"."ref" IS NOT NULL AND "verdict_1"."ref" = ? AND CAST("verdict_1"."ref" AS BLOB) = CAST(? AS BLOB)))`, []any{"department:a", "department:a"}},
		{"itself, or above", SQLite, holds(residual.Ancestor, "", "doc:d1"),
			`(("docs"."id" IS NOT NULL AND "docs"."id" = ? AND CAST("docs"."id" AS BLOB) = CAST(? AS BLOB)) OR EXISTS (SELECT 1 FROM "above" AS "verdict_1" WHERE "docs"."id" = "verdict_1"."doc" AND ("verdict_1"."ref" IS NOT NULL AND "verdict_1"."ref" = ? AND CAST("verdict_1"."ref" AS BLOB) = CAST(? AS BLOB))))`, []any{"d1", "d1", "doc:d1", "doc:d1"}},
		{"a parent", SQLite, holds(residual.Parent, "", "department:a"),
			`EXISTS (SELECT 1 FROM "parents" AS "verdict_1" WHERE "docs"."id" = "verdict_1"."doc" AND ("verdict_1"."ref" IS NOT NULL AND "verdict_1"."ref" = ? AND CAST("verdict_1"."ref" AS BLOB) = CAST(? AS BLOB)))`, []any{"department:a", "department:a"}},
		{"two texts", SQLite, both("owner", residual.In, "title"), `("docs"."owner" IS NOT NULL AND "docs"."title" IS NOT NULL AND CAST("docs"."owner" AS BLOB) = CAST("docs"."title" AS BLOB))`, nil},
		{"two texts, in PostgreSQL", PostgreSQL, both("owner", residual.Less, "title"), `("docs"."owner" IS NOT NULL AND "docs"."title" IS NOT NULL AND "docs"."owner"::text COLLATE "C" < "docs"."title"::text COLLATE "C")`, nil},
		{"two numbers", SQLite, both("n", residual.NotEqual, "m"), `("docs"."n" IS NOT NULL AND "docs"."m" IS NOT NULL AND "docs"."n" <> "docs"."m")`, nil},
		{"a number before a text", SQLite, both("n", residual.Less, "owner"), `("docs"."n" IS NOT NULL AND "docs"."owner" IS NOT NULL)`, nil},
		{"a text that differs from a boolean", SQLite, both("owner", residual.NotEqual, "open"), `("docs"."owner" IS NOT NULL AND "docs"."open" IS NOT NULL)`, nil},
		{"not", SQLite, made(residual.None, holds(residual.In, "n", one)), `NOT (("docs"."n" IS NOT NULL AND "docs"."n" = ?))`, []any{int64(1)}},
		{"all of, some of", SQLite, made(residual.All, holds(residual.Defined, "n"), made(residual.AnyOf, holds(residual.Defined, "open"), holds(residual.In, "owner", one), holds(residual.Defined, "owner"))),
			`("docs"."n" IS NOT NULL AND ("docs"."open" IS NOT NULL OR "docs"."owner" IS NOT NULL))`, nil},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got, err := Of(residual.Residual{Where: tt.where}, "doc", decoded(t, documents), Options{Dialect: tt.dialect})
			if err != nil {
				t.Fatal(err)
			}
			if got.Effect != Conditional {
				t.Fatalf("it is %s", got.Effect)
			}
			if diff := cmp.Diff(SQL{tt.want, append([]any{}, tt.parameters...), "docs"}, *got.SQL); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestUCAST(t *testing.T) {
	tests := []struct {
		name  string
		where residual.Formula
		want  string
	}{
		{"equal", holds(residual.In, "owner", "a"), `{"type":"field","operator":"eq","field":"docs.owner","value":"a"}`},
		{"one of", holds(residual.In, "n", json.Number("1"), json.Number("2.50")), `{"type":"field","operator":"in","field":"docs.n","value":[1,2.5]}`},
		{"at most, which null is to JavaScript", holds(residual.LessOrEqual, "n", json.Number("2")),
			`{"type":"compound","operator":"and","value":[{"type":"field","operator":"ne","field":"docs.n","value":null},{"type":"field","operator":"lte","field":"docs.n","value":2}]}`},
		{"there", holds(residual.Defined, "n"), `{"type":"field","operator":"ne","field":"docs.n","value":null}`},
		{"begins", holds(residual.StartsWith, "owner", "u"), `{"type":"field","operator":"startswith","field":"docs.owner","value":"u"}`},
		{"differs", holds(residual.NotEqual, "owner", "u"),
			`{"type":"compound","operator":"and","value":[{"type":"field","operator":"ne","field":"docs.owner","value":null},{"type":"field","operator":"ne","field":"docs.owner","value":"u"}]}`},
		{"not equal, or not there", made(residual.None, holds(residual.In, "open", true)),
			`{"type":"compound","operator":"or","value":[{"type":"field","operator":"eq","field":"docs.open","value":null},{"type":"field","operator":"ne","field":"docs.open","value":true}]}`},
		{"none of, or not there", made(residual.None, holds(residual.In, "owner", "a", "b")),
			`{"type":"compound","operator":"or","value":[{"type":"field","operator":"eq","field":"docs.owner","value":null},{"type":"field","operator":"nin","field":"docs.owner","value":["a","b"]}]}`},
		{"not at most, or not there", made(residual.None, holds(residual.LessOrEqual, "n", json.Number("2"))),
			`{"type":"compound","operator":"or","value":[{"type":"field","operator":"eq","field":"docs.n","value":null},{"type":"field","operator":"gt","field":"docs.n","value":2}]}`},
		{"not begins, or not there", made(residual.None, holds(residual.StartsWith, "owner", "u")),
			`{"type":"compound","operator":"or","value":[{"type":"field","operator":"eq","field":"docs.owner","value":null},{"type":"compound","operator":"not","value":[{"type":"field","operator":"startswith","field":"docs.owner","value":"u"}]}]}`},
		{"not there", made(residual.None, holds(residual.Defined, "n")), `{"type":"field","operator":"eq","field":"docs.n","value":null}`},
		{"not one of both", made(residual.None, made(residual.AnyOf, holds(residual.Defined, "n"), made(residual.None, holds(residual.Defined, "owner")))),
			`{"type":"compound","operator":"and","value":[{"type":"field","operator":"eq","field":"docs.n","value":null},{"type":"field","operator":"ne","field":"docs.owner","value":null}]}`},
		{"or", made(residual.AnyOf, holds(residual.IDIn, "", "d"), holds(residual.Defined, "n")),
			`{"type":"compound","operator":"or","value":[{"type":"field","operator":"eq","field":"docs.id","value":"d"},{"type":"field","operator":"ne","field":"docs.n","value":null}]}`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got, err := Of(residual.Residual{Where: tt.where}, "doc", decoded(t, documents), Options{Dialect: UCAST})
			if err != nil {
				t.Fatal(err)
			}
			text, err := json.Marshal(got.UCAST)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(decoded(t, tt.want), decoded(t, string(text))); diff != "" {
				t.Error(diff)
			}
		})
	}
}

// Whether there is a filter at all.
func TestEffects(t *testing.T) {
	one := json.Number("1")
	tests := []struct {
		name string
		left residual.Residual
		want Effect
	}{
		{"always", residual.Residual{Always: true, Where: made(residual.Always)}, Always},
		{"never", residual.Residual{}, Never},
		{"a value of another type", residual.Residual{Where: holds(residual.In, "owner", one, true, nil)}, Never},
		{"null, which no column has", residual.Residual{Where: holds(residual.In, "owner", nil)}, Never},
		{"not what never holds", residual.Residual{Where: made(residual.None, holds(residual.In, "owner", one))}, Always},
		{"another type", residual.Residual{Where: holds(residual.Is, "owner", "array")}, Never},
		{"an element of a column", residual.Residual{Where: holds(residual.Has, "owner", "a")}, Never},
		{"a list that is a scalar", residual.Residual{Where: holds(residual.In, "tags", "a")}, Never},
		{"a number after a text", residual.Residual{Where: both("n", residual.Greater, "owner")}, Never},
		{"a number that is a text", residual.Residual{Where: both("n", residual.In, "owner")}, Never},
		{"a list that is there", residual.Residual{Where: holds(residual.Defined, "tags")}, Always},
		{"all of, with one that never holds", residual.Residual{Where: made(residual.All, holds(residual.Defined, "n"), holds(residual.In, "owner", one))}, Never},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			for _, dialect := range Dialects() {
				got, err := Of(tt.left, "doc", decoded(t, documents), Options{Dialect: dialect})
				if err != nil || got.Effect != tt.want || got.SQL != nil || got.UCAST != nil {
					t.Errorf("%s: %+v, %v", dialect, got, err)
				}
			}
		})
	}
}

// What cannot be written is an error that says where and why.
func TestRefusals(t *testing.T) {
	number := json.Number("0.123456789012345678901")
	tests := []struct {
		name    string
		left    residual.Residual
		mapping string
		options Options
		want    string
	}{
		{"what was not recognised", residual.Residual{Where: made(residual.All, holds(residual.Defined, "n"), residual.Formula{Op: residual.Holds, Condition: &residual.Condition{Op: residual.Unrecognised, Reason: residual.Reason{Place: "authz.rego:9", Why: "a loop"}}})},
			documents, Options{Dialect: SQLite}, "authz.rego:9: a loop: compare an attribute"},
		{"what could not be evaluated", residual.Residual{Unexpressed: []residual.Reason{{Place: "authz.rego:9", Why: "divide by zero"}}}, documents, Options{Dialect: SQLite}, "authz.rego:9: divide by zero"},
		{"no mapping", residual.Residual{Where: holds(residual.Defined, "n")}, `null`, Options{Dialect: SQLite}, `rows of type "doc" are: add to its data {"verdict": {"plan": {"doc"`},
		{"no column", residual.Residual{Where: holds(residual.Defined, "k")}, documents, Options{Dialect: SQLite}, "authz.rego:7: it reads attributes.k, and data.verdict.plan.doc.columns.k does not say"},
		{"no ancestors", residual.Residual{Where: holds(residual.Ancestor, "", "a:b")}, `{"table": "docs"}`, Options{Dialect: SQLite}, "data.verdict.plan.doc.ancestors does not say"},
		{"no parents", residual.Residual{Where: holds(residual.Parent, "", "a:b")}, `{"table": "docs"}`, Options{Dialect: SQLite}, "data.verdict.plan.doc.parents does not say"},
		{"grants", residual.Residual{Where: holds(residual.GrantOn, "", "a:b")}, documents, Options{Dialect: SQLite}, "grants that resources hold"},
		{"a text test of a number", residual.Residual{Where: holds(residual.StartsWith, "n", "a")}, documents, Options{Dialect: SQLite}, "it takes a number for a string"},
		{"two columns, one without a type", residual.Residual{Where: both("owner", residual.In, "untyped")}, documents, Options{Dialect: SQLite}, "it compares with another attribute, and data.verdict.plan.doc.columns.untyped does not say"},
		{"a column and none", residual.Residual{Where: both("owner", residual.In, "k")}, documents, Options{Dialect: SQLite}, "data.verdict.plan.doc.columns.k does not say"},
		{"a column and a list", residual.Residual{Where: both("owner", residual.In, "tags")}, documents, Options{Dialect: SQLite}, "a list with another attribute"},
		{"two columns in UCAST", residual.Residual{Where: both("n", residual.In, "m")}, documents, Options{Dialect: UCAST}, "not all that run UCAST compare a field with another: ask for SQL"},
		{"a dot in a name", residual.Residual{Where: residual.Formula{Op: residual.Holds, Condition: &residual.Condition{Op: residual.Defined, Path: []string{"address.city"}}}}, documents, Options{Dialect: SQLite}, `an attribute with a dot in its name, "address.city"`},
		{"lists in UCAST", residual.Residual{Where: holds(residual.Has, "tags", "a")}, documents, Options{Dialect: UCAST}, "UCAST has no lists: ask for SQL"},
		{"an order of texts in UCAST", residual.Residual{Where: holds(residual.Less, "owner", "a")}, documents, Options{Dialect: UCAST}, "an order of numbers alone: ask for SQL"},
		{"a text with a NUL", residual.Residual{Where: holds(residual.In, "owner", "a\x00b")}, documents, Options{Dialect: SQLite}, "a text that databases do not take"},
		{"a number, in a column without a type", residual.Residual{Where: holds(residual.GreaterOrEqual, "untyped", number)}, documents, Options{Dialect: SQLite}, `it compares with a number, and data.verdict.plan.doc.columns.untyped does not say of which type the column is: write {"column": "title", "type": "…"}`},
		{"not a boolean, in a column without a type", residual.Residual{Where: made(residual.None, holds(residual.In, "untyped", "a", true))}, documents, Options{Dialect: SQLite}, "it compares with a boolean, and data.verdict.plan.doc.columns.untyped does not say"},
		{"the type of a column without a type", residual.Residual{Where: holds(residual.Is, "untyped", "string")}, documents, Options{Dialect: SQLite}, "it compares with a type, and"},
		{"a number in a list without a type", residual.Residual{Where: holds(residual.Has, "tags", number)}, documents, Options{Dialect: SQLite}, "data.verdict.plan.doc.columns.tags does not say"},
		{"a number that would be rounded", residual.Residual{Where: holds(residual.In, "n", number)}, documents, Options{Dialect: SQLite}, "the number 0.123456789012345678901, which sqlite would round"},
		{"a large number in JSON", residual.Residual{Where: holds(residual.In, "n", json.Number("9007199254740993"))}, documents, Options{Dialect: UCAST}, "which ucast would round"},
		{"a number with many digits", residual.Residual{Where: holds(residual.In, "n", json.Number("1e-31"))}, documents, Options{Dialect: PostgreSQL}, "which postgresql would round"},
		{"a number without an end", residual.Residual{Where: holds(residual.In, "n", json.Number("1e999999999"))}, documents, Options{Dialect: PostgreSQL}, "which postgresql would round"},
		{"a type that there is none of", residual.Residual{Where: holds(residual.Defined, "n")}, `{"table": "docs", "columns": {"n": {"column": "n", "type": "date"}}}`, Options{Dialect: SQLite}, "data.verdict.plan.doc.columns.n.type: expected string, uuid, number or boolean"},
		{"a table without a name", residual.Residual{Where: holds(residual.Defined, "n")}, `{"table": ""}`, Options{Dialect: SQLite}, "data.verdict.plan.doc.table: expected the name of a table"},
		{"a question mark in a name", residual.Residual{Where: holds(residual.Defined, "n")}, `{"table": "docs", "columns": {"n": "n?"}}`, Options{Dialect: SQLite}, "data.verdict.plan.doc.columns.n: drivers may take a question mark"},
		{"a member that means nothing", residual.Residual{Where: holds(residual.Defined, "n")}, `{"table": "docs", "colums": {}}`, Options{Dialect: SQLite}, "data.verdict.plan.doc.colums: there is no such member"},
		{"a dialect that there is none of", residual.Residual{Always: true}, documents, Options{Dialect: "oracle"}, "expected ucast, postgresql, mysql, sqlite"},
		{"too many parameters before", residual.Residual{Always: true}, documents, Options{Dialect: SQLite, Before: 65_536}, "65536: expected 0 to 65535"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			_, err := Of(tt.left, "doc", decoded(t, tt.mapping), tt.options)
			kind := authz.FailedPrecondition
			if tt.left.Always {
				kind = authz.Invalid
			}
			if authz.KindOf(err) != kind || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("%v (%v), expected %s", err, authz.KindOf(err), tt.want)
			}
		})
	}
}

// Many conditions are no deep ones: SQLite takes a depth of 1,000.
func TestManyConditionsAreNotDeep(t *testing.T) {
	var of []residual.Formula
	for i := range 5_000 {
		of = append(of, holds(residual.StartsWith, "owner", strconv.Itoa(i)))
	}
	got, err := Of(residual.Residual{Where: made(residual.AnyOf, of...)}, "doc", decoded(t, documents), Options{Dialect: SQLite})
	if err != nil {
		t.Fatal(err)
	}
	longest := 0
	for chain := range strings.SplitSeq(strings.ReplaceAll(got.SQL.Where, "((", ") OR ((("), ") OR (((") {
		longest = max(longest, strings.Count(chain, " OR "))
	}
	if longest > 100 || strings.Count(got.SQL.Where, " OR ") != 4_999 {
		t.Errorf("%d conditions stand in a row", longest)
	}
}

// A statement has no more parameters than its database takes.
func TestParametersAreBounded(t *testing.T) {
	for dialect, most := range map[Dialect]int{PostgreSQL: 65_535, MySQL: 65_535, SQLite: 32_766} {
		values := make([]any, most-1)
		for i := range values {
			values[i] = json.Number(strconv.Itoa(i))
		}
		left := residual.Residual{Where: holds(residual.In, "n", values...)}
		if _, err := Of(left, "doc", decoded(t, documents), Options{Dialect: dialect, Before: 1}); err != nil {
			t.Errorf("%s: %v", dialect, err)
		}
		_, err := Of(left, "doc", decoded(t, documents), Options{Dialect: dialect, Before: 2})
		if want := fmt.Sprintf("takes %d parameters, and %s no more than %d", most+1, dialect, most); authz.KindOf(err) != authz.FailedPrecondition || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: the error is %v", dialect, err)
		}
	}
}

// Ids that are whole numbers in the table are texts to the directory.
func TestNumberedIDs(t *testing.T) {
	mapping := decoded(t, `{"table": "docs", "id": {"column": "n", "type": "number"}}`)
	left := residual.Residual{Where: holds(residual.IDIn, "", "42", "042", "4.2", "x", "-7")}
	got, err := Of(left, "doc", mapping, Options{Dialect: PostgreSQL, Before: 2})
	if err != nil {
		t.Fatal(err)
	}
	want := SQL{`("docs"."n" IS NOT NULL AND "docs"."n" IN ($3::bigint, $4::bigint))`, []any{int64(42), int64(-7)}, "docs"}
	if diff := cmp.Diff(want, *got.SQL); diff != "" {
		t.Error(diff)
	}
}

// FuzzQuoting holds that neither names nor values come into the text of a filter
// but as names in quotes and as placeholders.
func FuzzQuoting(f *testing.F) {
	f.Add("docs", "owner", "a")
	f.Add(`do"cs`, "own`er", `' OR 1=1 --`)
	f.Add("a.b", `x" --`, "$1 ? \\")
	f.Fuzz(func(t *testing.T, table, name, value string) {
		mapping := map[string]any{"table": table, "columns": map[string]any{"a": name, "l": map[string]any{"table": table, "key": name, "column": name}}}
		left := residual.Residual{Where: made(residual.All, holds(residual.In, "a", value, "b"), holds(residual.Has, "l", value), holds(residual.Contains, "a", value+"c"), holds(residual.EndsWith, "a", value+"c"))}
		for _, dialect := range []Dialect{PostgreSQL, MySQL, SQLite} {
			got, err := Of(left, "doc", mapping, Options{Dialect: dialect})
			if err != nil {
				continue // such as of an empty name
			}
			quote := byte('"')
			if dialect == MySQL {
				quote = '`'
			}
			bare := strings.ReplaceAll(unquoted(t, got.SQL.Where, quote), "-length(", "length(")
			if strings.Trim(bare, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ_0123456789 ().,:=<>?$") != "" {
				t.Errorf("outside of quotes stands %q", bare)
			}
			if count := strings.Count(bare, "?") + strings.Count(bare, "$"); count != len(got.SQL.Parameters) {
				t.Errorf("%d placeholders for %d parameters: %s", count, len(got.SQL.Parameters), got.SQL.Where)
			}
		}
	})
}

// unquoted is what stands outside of quotes.
func unquoted(t *testing.T, text string, quote byte) string {
	t.Helper()
	var bare strings.Builder
	inside := false
	for i := range len(text) {
		if text[i] == quote {
			inside = !inside // a doubled one leaves and comes back
		} else if !inside {
			bare.WriteByte(text[i])
		}
	}
	if inside {
		t.Errorf("a quote is not closed: %s", text)
	}
	return bare.String()
}
