//go:build unix

package main

import (
	"time"

	"golang.org/x/sys/unix"
)

// processorTime is how much of it this process has used; 0 where the system does not
// tell.
func processorTime() time.Duration {
	var usage unix.Rusage
	if err := unix.Getrusage(unix.RUSAGE_SELF, &usage); err != nil {
		return 0
	}
	return time.Duration(usage.Utime.Nano() + usage.Stime.Nano())
}
