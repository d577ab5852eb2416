// Package processtime tells how much processor time another process has used, which is
// what the servers under measurement are compared by. Start with Of.
package processtime

import (
	"time"

	"golang.org/x/sys/unix"
)

// Of is the CPU time that a process has used, in user mode and in the
// kernel, to the nanosecond: the clock of another process is named by its id
// (clock_getcpuclockid(3)).
func Of(pid int) (time.Duration, error) {
	const processClock = 2
	var at unix.Timespec
	if err := unix.ClockGettime(int32(^pid<<3|processClock), &at); err != nil {
		return 0, err
	}
	return time.Duration(at.Nano()), nil
}
