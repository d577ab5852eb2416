package main

import (
	"regexp"
	"strings"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

// What a person can do about an answer is said by flags here: the server's words and
// gRPC's know of none.

// hintOf says what to do about a server's answer, if there is more to say than the answer
// does.
func hintOf(st *status.Status) string {
	switch {
	case strings.HasPrefix(st.Message(), "unexpected HTTP status code received from server"):
		return httpAddressHint
	case st.Code() == codes.Unavailable:
		return connectionHint(st.Message())
	case st.Code() == codes.Unauthenticated:
		return proofHint(st.Message())
	case st.Code() == codes.PermissionDenied && strings.Contains(st.Message(), " may not see the status on this server"):
		return "Who administers some of the tenants asks for one of them by --tenant."
	}
	return ""
}

const httpAddressHint = "That is an HTTP address: --server takes the gRPC address, " + defaultGRPC + " unless the server was told otherwise."

// proofHint says by which flags a command shows who calls, of the ways that a server takes.
func proofHint(message string) string {
	var flags []string
	anything := strings.HasSuffix(message, "show who you are")
	if anything || strings.Contains(message, "send a bearer token") {
		flags = append(flags, "a token by --token-file")
	}
	if anything || strings.Contains(message, "with a client certificate") {
		flags = append(flags, "a certificate by --cert and --key")
	}
	if len(flags) == 0 {
		return ""
	}
	return "Show " + strings.Join(flags, ", or ") + "."
}

// foreignName is in the errors of a certificate that is for other hosts than the one that
// was asked for.
var foreignName = regexp.MustCompile(`x509: (certificate is (not )?valid for|cannot validate certificate for|certificate relies on legacy Common Name)`)

// closedUnheard are gRPC's words for a server that closes a connection before it has said
// anything it understands. Which of them it uses depends on what it was doing just then.
var closedUnheard = regexp.MustCompile(
	`^(connection error: .*(server preface|handshake failed|failed to write)|write (tcp|unix) ).*(EOF|connection reset by peer|broken pipe|frame too large)`)

// connectionHint says what to do about a server that cannot be reached, if there is more
// to say than message does.
func connectionHint(message string) string {
	isClosed := closedUnheard.MatchString(message)
	switch {
	case !isClosed && !strings.Contains(message, "connection error"):
		return "" // the server has said it
	case strings.Contains(message, "HTTP/1.1"):
		return httpAddressHint
	case strings.Contains(message, "x509: certificate has expired or is not yet valid"):
		return "The server's certificate does not hold now: have the server show one that does, and see that this machine's clock is right."
	case foreignName.MatchString(message):
		return "The server's certificate is not for the host in --server: name one that it is for, or have the server show one for this host."
	case strings.Contains(message, "x509:"):
		return "The server is not one that --ca knows: give the file of the authority that has signed its certificate."
	case strings.Contains(message, "tls: first record does not look like a TLS handshake"):
		return "The server does not speak TLS: leave --ca away."
	case strings.Contains(message, "connect: permission denied"):
		return "The socket is not open to this user: sockets in the server's configuration says to whom it is."
	case isClosed && strings.Contains(message, "handshake failed"):
		return "The server closed the connection: it may have too many, which its log tells."
	case isClosed:
		return "Does the server speak TLS? Then give --ca and the file of the authority that has signed its certificate. Otherwise it may have too many connections, which its log tells."
	case strings.Contains(message, "remote error: tls:"):
		return "" // says what the server does not take
	}
	return "Is a server running there? Start one with: verdict serve, or verdict demo"
}
