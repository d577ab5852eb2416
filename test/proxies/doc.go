// Package proxies tries Verdict behind proxies that are Go programs: a real Caddy,
// with the configuration that docs/proxies.md shows. It is a module of its own, since
// Caddy needs more modules than all else here together:
//
//	go -C test/proxies test .
//
// What is tried with nginx is in cmd/verdict, where the page's commands run.
package proxies
