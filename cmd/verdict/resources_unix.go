//go:build unix

package main

import "golang.org/x/sys/unix"

// maxOpenFiles is how many files the process may have open; 0 where that is not known.
func maxOpenFiles() uint64 {
	var limit unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_NOFILE, &limit); err != nil {
		return 0
	}
	return uint64(limit.Cur)
}
