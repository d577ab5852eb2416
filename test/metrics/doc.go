// Package metrics holds the dashboard and the alerts of deploy to the metrics that there
// are, as the table of docs/metrics.md names them; engine/metrics holds that table to the
// code.
//
// It is a module of its own for the sake of Prometheus' own parser of queries and of
// rules, which nothing that is released needs.
package metrics
