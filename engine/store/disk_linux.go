package store

import (
	"cmp"

	"golang.org/x/sys/unix"
)

// freeBytes is how many bytes may be written to the file system of a
// directory.
func freeBytes(dir string) (bytes int64, known bool) {
	var stat unix.Statfs_t
	if err := unix.Statfs(dir, &stat); err != nil {
		return 0, false
	}
	return freeBytesOf(stat), true
}

// freeBytesOf counts in fragments, if they are known: on a shared folder of a
// virtual machine a block is what is best read at once, 256 times as much.
func freeBytesOf(stat unix.Statfs_t) int64 {
	return int64(stat.Bavail) * int64(cmp.Or(stat.Frsize, stat.Bsize))
}
