package caller

import (
	"syscall"

	"golang.org/x/sys/unix"
)

// processAt asks for SO_PEERCRED (unix(7)).
func processAt(raw syscall.RawConn) *Process {
	return controlled(raw, func(socket int) (*Process, error) {
		found, err := unix.GetsockoptUcred(socket, unix.SOL_SOCKET, unix.SO_PEERCRED)
		if err != nil {
			return nil, err
		}
		return &Process{UID: found.Uid, GID: found.Gid, PID: found.Pid}, nil
	})
}
