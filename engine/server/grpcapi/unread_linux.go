package grpcapi

import (
	"net"
	"syscall"

	"golang.org/x/sys/unix"
)

// unreadOf tells of a socket how many bytes have come that were not read; none where the
// system does not say. What it returns is for one goroutine.
func unreadOf(socket net.Conn) func() int {
	none := func() int { return 0 }
	system, is := socket.(syscall.Conn)
	if !is {
		return none
	}
	raw, err := system.SyscallConn()
	if err != nil {
		return none
	}
	var bytes int
	var failed error
	ask := func(descriptor uintptr) { bytes, failed = unix.IoctlGetInt(int(descriptor), unix.TIOCINQ) }
	return func() int {
		if raw.Control(ask) != nil || failed != nil {
			return 0
		}
		return bytes
	}
}
