// Package admission decides what is worked on, and when, where there is more to do
// than a server can: some of it at once, some after a while, and some not at all, which
// is said at once. Otherwise everything would be late.
//
// What a call costs is known only after its message was read, and most of what a small
// one costs is to read and to answer it. So there are three places where work is held
// back:
//
// A Line is what one connection has sent and nobody has read. Whoever sends much is read
// piece by piece, each when a processor has nothing else to do, so that it waits on its
// own side and those who send little are read at once.
//
// The Door counts the calls that are under way, from when their headers have come. While
// more than there should be stand there for long, or in a Line, those of tenants that
// have their share are refused: unread, for that costs a fraction. A burst is none of
// that, it is let in.
//
// Turns are for evaluating policies, as many at a time as processors can be kept busy
// by. A single check takes one; a batch, a search or a plan takes one for each piece of
// it, after the checks that wait, and less often, but not never. Whoever waits does so in
// the order of how much work its tenant has had, weighted (start-time fair queueing,
// Goyal and others, 1996), and is refused as soon as its deadline cannot be met or a
// queue has been standing (CoDel, RFC 8289, in the form of "Fail at Scale", ACM Queue
// 2015).
//
// There are good libraries for adaptive limits: failsafe-go and go-concurrency-limits
// find out a number of requests by the gradient of their latency, and bradenaw/backpressure
// queues by priority. They bound requests, not work, which here differs by a factor of a
// million; they know no tenants; and their limiters take a lock for each request, where a
// decision takes two microseconds. So this is our own, and small.
//
// The package knows no protocol and no policy. Start with Turns.Check, Door.Arrive and Line.
package admission
