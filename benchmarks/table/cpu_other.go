//go:build !unix

package table

import "time"

var started = time.Now()

// cpuTime is the time that has passed: the system is not asked for better.
func cpuTime() time.Duration { return time.Since(started) }
