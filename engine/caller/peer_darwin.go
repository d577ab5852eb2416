package caller

import (
	"syscall"

	"golang.org/x/sys/unix"
)

// processAt asks for LOCAL_PEERCRED and LOCAL_PEERPID (unix(4)). The first of the
// groups is the primary one.
func processAt(raw syscall.RawConn) *Process {
	return controlled(raw, func(socket int) (*Process, error) {
		found, err := unix.GetsockoptXucred(socket, unix.SOL_LOCAL, unix.LOCAL_PEERCRED)
		if err != nil || found.Ngroups < 1 {
			return nil, err
		}
		pid, err := unix.GetsockoptInt(socket, unix.SOL_LOCAL, unix.LOCAL_PEERPID)
		if err != nil {
			pid = 0
		}
		return &Process{UID: found.Uid, GID: found.Groups[0], PID: int32(pid)}, nil
	})
}
