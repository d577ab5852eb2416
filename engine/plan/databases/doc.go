// Package databases tries the filters that package plan writes on real databases:
// the rows that come back are those that the decision allows with the same rows in
// the directory. It is a module of its own, for what it needs of databases is
// nothing that Verdict is built with.
//
// SQLite is part of the tests, and so are two readings of UCAST, as SQL and as
// JavaScript. PostgreSQL takes part where VERDICT_POSTGRES names one, such as
// "postgres://localhost/postgres", with ICU: the tests make a schema verdict_test in
// it and drop it. MySQL or MariaDB takes part where VERDICT_MYSQL does, such as
// "root@unix(/run/mysqld/mysqld.sock)/?charset=utf8mb4", with a database of that name.
//
//	go -C engine/plan/databases test .
//	go -C engine/plan/databases test -v . -seeds 10000
package databases
