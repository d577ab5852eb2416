//go:build unix

package table

import (
	"syscall"
	"time"
)

// cpuTime is the processor time that the process has taken, in user mode and
// in the kernel.
func cpuTime() time.Duration {
	var usage syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &usage); err != nil {
		return 0 // no system fails on its own process
	}
	return time.Duration(usage.Utime.Nano() + usage.Stime.Nano())
}
