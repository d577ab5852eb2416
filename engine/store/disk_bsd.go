//go:build darwin || freebsd

package store

import "golang.org/x/sys/unix"

// freeBytes is how many bytes may be written to the file system of a
// directory.
func freeBytes(dir string) (bytes int64, known bool) {
	var stat unix.Statfs_t
	if err := unix.Statfs(dir, &stat); err != nil {
		return 0, false
	}
	return int64(stat.Bavail) * int64(stat.Bsize), true
}
