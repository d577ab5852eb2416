package store

import (
	"testing"

	"golang.org/x/sys/unix"
)

// TestFreeBytesOfASharedFolder has what Docker Desktop says of a folder that
// it shares by virtiofs.
func TestFreeBytesOfASharedFolder(t *testing.T) {
	stat := unix.Statfs_t{Bavail: 112_183_139, Bsize: 1 << 20, Frsize: 4 << 10}
	if got, want := freeBytesOf(stat), int64(459_502_137_344); got != want {
		t.Errorf("%d bytes are free, expected %d", got, want)
	}
}
