package main

import (
	"time"

	"golang.org/x/sys/unix"
)

// cpuTime is the CPU time that a process has used, in user mode and in the
// kernel, to the nanosecond: the clock of another process is named by its id
// (clock_getcpuclockid(3)).
func cpuTime(pid int) (time.Duration, error) {
	const processClock = 2
	var at unix.Timespec
	if err := unix.ClockGettime(int32(^pid<<3|processClock), &at); err != nil {
		return 0, err
	}
	return time.Duration(at.Nano()), nil
}
