package caller

import (
	"net"
	"syscall"

	"github.com/verdictpdp/verdict/api/authz"
)

// A PeerRule says who the processes of a user or a group are. The kernel vouches for
// both.
type PeerRule struct {
	// UID and GID are the user and the primary group of a process; nil for any.
	UID, GID *uint32
	Subject  authz.EntityRef
}

// peers are tried in their order.
type peers []PeerRule

func (p peers) subject(of *Process) (subject authz.EntityRef, known bool) {
	for _, rule := range p {
		if (rule.UID == nil || *rule.UID == of.UID) && (rule.GID == nil || *rule.GID == of.GID) {
			return rule.Subject, true
		}
	}
	return authz.EntityRef{}, false
}

// SocketOf is the connection below all that it is wrapped in, of those that have the
// method NetConn, as tls.Conn has.
func SocketOf(conn net.Conn) net.Conn {
	for {
		wrapped, is := conn.(interface{ NetConn() net.Conn })
		if !is {
			return conn
		}
		conn = wrapped.NetConn()
	}
}

// ProcessAt is the process at the other end of a connection, which may be wrapped as
// SocketOf has it; nil where that is no Unix socket, or the system does not tell.
func ProcessAt(conn net.Conn) *Process {
	socket, is := SocketOf(conn).(*net.UnixConn)
	if !is {
		return nil
	}
	raw, err := socket.SyscallConn()
	if err != nil {
		return nil
	}
	return processAt(raw)
}

// controlled is what ask says of a socket, if it could be asked.
func controlled(raw syscall.RawConn, ask func(socket int) (*Process, error)) *Process {
	var process *Process
	var asked error
	if err := raw.Control(func(socket uintptr) { process, asked = ask(int(socket)) }); err != nil || asked != nil {
		return nil
	}
	return process
}
