// Package databases tries the filters that package plan writes on real databases:
// the rows that come back are those that the decision allows with the same rows in
// the directory. It is a module of its own, for what it needs of databases is
// nothing that Verdict is built with.
//
// SQLite is part of the tests. PostgreSQL takes part where VERDICT_POSTGRES names
// one, such as "postgres://localhost/postgres": they make a schema in it and drop it.
//
//	go -C engine/plan/databases test .
package databases
