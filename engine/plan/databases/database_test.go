package databases

import (
	"context"
	"database/sql"
	"encoding/json"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"

	_ "github.com/go-sql-driver/mysql"
	_ "github.com/jackc/pgx/v5/stdlib"
	_ "modernc.org/sqlite"

	"github.com/verdictpdp/verdict/engine/plan"
)

// A database is one that a filter is tried on.
type database struct {
	*sql.DB
	dialect plan.Dialect
}

func (d database) exec(t testing.TB, statement string, parameters ...any) {
	t.Helper()
	if _, err := d.ExecContext(t.Context(), d.in(statement), parameters...); err != nil {
		t.Fatalf("%s: %v", d.in(statement), err)
	}
}

// in is a statement of SQLite's in the database's own dialect.
func (d database) in(statement string) string {
	switch d.dialect {
	case plan.MySQL:
		return strings.NewReplacer(`""`, `"`, `"`, "`").Replace(statement)
	case plan.PostgreSQL:
		for n := 1; strings.Contains(statement, "?"); n++ {
			statement = strings.Replace(statement, "?", fmt.Sprintf("$%d", n), 1)
		}
	}
	return statement
}

// columnTypes are those of the columns. The owner's collation finds more than is
// equal, and so do those of the ids in MySQL.
type columnTypes struct{ id, folded, text, uuid, number, double, boolean string }

func (d database) types() columnTypes {
	switch d.dialect {
	case plan.PostgreSQL:
		return columnTypes{"TEXT", "TEXT COLLATE folded", "TEXT", "UUID", "NUMERIC", "DOUBLE PRECISION", "BOOLEAN"}
	case plan.MySQL:
		return columnTypes{"VARCHAR(100) COLLATE utf8mb4_unicode_ci", "VARCHAR(100) COLLATE utf8mb4_unicode_ci", "VARCHAR(100) COLLATE utf8mb4_bin", "CHAR(36)", "DECIMAL(65, 30)", "DOUBLE", "BOOLEAN"}
	}
	return columnTypes{"TEXT", "TEXT COLLATE NOCASE", "TEXT", "TEXT", "NUMERIC", "REAL", "INTEGER"}
}

const docs = `"the ""docs"""` // a name that has to be quoted

var lists = []string{"tags", "sizes", "above", "parents"}

// databases are those there are, each with the tables of documents, which are empty.
func databases(t testing.TB) (all []database) {
	t.Helper()
	open := func(driver, source string, dialect plan.Dialect) database {
		db, err := sql.Open(driver, source)
		if err != nil {
			t.Fatal(err)
		}
		db.SetMaxOpenConns(1) // a database in memory is one connection's, and so is a schema that is set
		t.Cleanup(func() { _ = db.Close() })
		return database{db, dialect}
	}
	all = append(all, open("sqlite", ":memory:", plan.SQLite))
	if source := os.Getenv("VERDICT_POSTGRES"); source != "" {
		db := open("pgx", source, plan.PostgreSQL)
		db.exec(t, `DROP SCHEMA IF EXISTS verdict_test CASCADE`)
		db.exec(t, `CREATE SCHEMA verdict_test`)
		db.exec(t, `SET search_path TO verdict_test`)
		db.exec(t, `CREATE COLLATION folded (provider = icu, locale = 'und-u-ks-level1', deterministic = false)`)
		t.Cleanup(func() { _, _ = db.ExecContext(context.Background(), `DROP SCHEMA verdict_test CASCADE`) })
		all = append(all, db)
	}
	if source := os.Getenv("VERDICT_MYSQL"); source != "" {
		db := open("mysql", source, plan.MySQL)
		db.exec(t, `DROP DATABASE IF EXISTS verdict_test`)
		db.exec(t, `CREATE DATABASE verdict_test CHARACTER SET utf8mb4`)
		db.exec(t, `USE verdict_test`)
		t.Cleanup(func() { _, _ = db.ExecContext(context.Background(), `DROP DATABASE verdict_test`) })
		all = append(all, db)
	}
	for _, db := range all {
		types := db.types()
		db.exec(t, fmt.Sprintf(`CREATE TABLE `+docs+` (id %s PRIMARY KEY, "owner'ref" %s, title %s, pages %s, score %s, "select" %s, city %s, "key" %s)`,
			types.id, types.folded, types.text, types.number, types.double, types.boolean, types.text, types.uuid))
		for _, list := range lists {
			element := types.text
			if list == "sizes" {
				element = types.number
			}
			db.exec(t, fmt.Sprintf(`CREATE TABLE %s (doc %s, element %s)`, list, types.id, element))
		}
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
		"score": {"column": "score", "type": "number"},
		"open": {"column": "select", "type": "boolean"},
		"key": {"column": "key", "type": "uuid"},
		"address.city": {"column": "city", "type": "string"},
		"tags": {"table": "tags", "key": "doc", "column": "element", "type": "string"},
		"sizes": {"table": "sizes", "key": "doc", "column": "element", "type": "number"}
	},
	"ancestors": {"table": "above", "key": "doc", "column": "element"},
	"parents": {"table": "parents", "key": "doc", "column": "element"}
}}}}`

// insert makes documents the only rows there are.
func (db database) insert(t testing.TB, all []doc) {
	t.Helper()
	rows := make(map[string][][]any)
	for _, d := range all {
		rows[docs] = append(rows[docs], []any{d.id, d.owner, d.title, d.pages, d.score, d.open, d.city, d.key})
		for _, tag := range d.tags {
			rows["tags"] = append(rows["tags"], []any{d.id, tag})
		}
		for _, size := range d.sizes {
			rows["sizes"] = append(rows["sizes"], []any{d.id, size})
		}
		for _, parent := range d.parents {
			rows["parents"] = append(rows["parents"], []any{d.id, parent})
			for _, ref := range above[parent] {
				rows["above"] = append(rows["above"], []any{d.id, ref})
			}
		}
	}
	for _, table := range append([]string{docs}, lists...) {
		db.exec(t, "DELETE FROM "+table)
		var places []string
		var values []any
		for _, row := range rows[table] {
			marks := make([]string, len(row))
			for i, value := range row {
				marks[i] = "?"
				_, isNumber := value.(json.Number)
				if _, mayBe := value.(*json.Number); (isNumber || mayBe) && db.dialect == plan.PostgreSQL {
					marks[i] = "?::text::numeric"
				}
			}
			places = append(places, "("+strings.Join(marks, ", ")+")")
			values = append(values, row...)
		}
		if len(places) > 0 {
			db.exec(t, "INSERT INTO "+table+" VALUES "+strings.Join(places, ", "), values...)
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
	found, err := db.QueryContext(t.Context(), db.in(`SELECT id FROM `+docs)+` WHERE `+where, parameters...)
	if err != nil {
		t.Fatalf("%s, %s, %q: %v", db.dialect, where, parameters, err)
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
