// Package client asks a Verdict server, from Go: for decisions, for what would be
// allowed (SearchSubjects and the other searches), and for that as a filter of rows
// (PlanResources).
//
//	c, err := client.New("127.0.0.1:8181")
//	…
//	defer c.Close()
//	allowed, err := c.Allowed(ctx, "user:mina", "read", "patient_record:p-102")
//
// Whatever goes wrong is a deny: a decision that comes with an error is never an
// allow, and neither is one that the policy could not evaluate to its end. Errors
// carry the kinds of api/authz.
//
// # Gathering
//
// Checks that are under way at a time are gathered into batches, since most of
// what a small decision costs the server is the call around it. The first check
// of an idle client goes at once, by itself; those that come while it is under
// way wait for it to be answered, for a batch to be full, or for a very short
// time, whatever comes first. Each keeps its own deadline, cancellation and
// error: one that is wrong or given up changes nothing for those beside it. Those
// that take the policy long do hold them up, one after the other, for as long as the
// server lets a batch take at most: where callers can make a policy slow, bound
// Coalescing.Items. See Coalescing, and coalesce.go for how.
//
// A batch belongs to none of its callers: of their contexts it has nothing but the
// latest deadline, and no trace goes through it. A check whose context has outgoing
// gRPC metadata goes alone; where every check is to be traced, turn gathering off.
//
// # Trying again
//
// Every call reads, so it may be made twice. It is, with a growing pause, where a
// server could not be reached or says UNAVAILABLE before it answers; never after
// the deadline, and only for as long as most calls succeed, so that an outage is
// not made worse.
//
// So is a call that the server refuses because it has too much to do: not before the time
// that the server names, within the deadline, and from a budget. While it refuses most
// calls, some fail here with the kind Overloaded and are not sent, for even a refusal
// takes the server time.
//
// # What it must not know
//
// The package speaks api/authz to its callers and verdict.v1 to the server. It
// knows nothing of how decisions are made. What an application does with a
// decision, such as refusing a call, is api/client/pep.
//
// Start with New and Client.Check.
package client
