// Package intake bounds what the clients of a server have it hold for them: the calls
// that are open, the bytes of messages that have not come to their end and of answers
// that are not taken, and the time that either may last.
//
// gRPC bounds one message and the calls of one connection. All together these come to
// more than any machine has: a call holds its goroutine, its headers and up to 64 KiB
// from before it is served, a message that is being received up to its whole size, and
// an answer stays for as long as its caller opens no window for it. A server learns of
// a call when its message is there, and nothing of what becomes of the answer. So an
// Intake follows the frames of HTTP/2 (RFC 9113) on each connection, and in them the
// messages of gRPC, both ways, without changing them.
//
// # What happens at a bound
//
//   - A call beyond Limits.Calls or CallsPerPeer is refused before it begins, with an
//     error of kind authz.Overloaded.
//   - When more than Limits.Bytes are held, calls are reset until there are fewer: of the
//     peer that has the server hold most, the connection that does, and of that the
//     call. So one who sends what is small and ends soon is held up by no other.
//   - A message that has not come to its end within Limits.Transfer resets its call, and
//     so does an answer of which nothing was taken for as long. Streams of which a
//     client may say nothing for long may do so, between messages.
//   - A connection that takes nothing at all for Limits.Transfer is closed.
//
// A call that is reset has the code ENHANCE_YOUR_CALM on the wire, which clients tell as
// RESOURCE_EXHAUSTED. Other calls of its connection go on: many clients may share one, by
// a proxy.
//
// Over HTTP, net/http bounds what a connection holds and how long a request lasts, and a
// Requests the rest.
//
// It must not know what a call is for. Start with Intake, then conn.go and frames.go.
package intake
