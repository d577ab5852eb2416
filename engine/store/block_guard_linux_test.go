package store

import (
	"os"
	"path/filepath"
	"testing"

	"golang.org/x/sys/unix"
)

// TestTablesThatCannotBeOpenedAreTold has a process that may open no more files, of which
// each table takes two: one that reads are verified in beside Badger's own.
func TestTablesThatCannotBeOpenedAreTold(t *testing.T) {
	s, table := storeWithTable(t)
	if open := openedAs(t, table); open != 2 {
		t.Errorf("a table takes %d files, expected 2", open)
	}
	var before unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_NOFILE, &before); err != nil {
		t.Fatal(err)
	}
	if err := unix.Setrlimit(unix.RLIMIT_NOFILE, &unix.Rlimit{Cur: 3, Max: before.Max}); err != nil {
		t.Fatal(err)
	}
	closed := s.blocks.close() // while the limit holds, for the store looks each second
	s.guardOnce(false)
	unverified, damage := s.Unverified(), s.Damage()
	if err := unix.Setrlimit(unix.RLIMIT_NOFILE, &before); err != nil {
		t.Fatal(err)
	}
	if closed != nil {
		t.Fatal(closed)
	}
	if unverified != 1 || damage != nil {
		t.Errorf("%d tables are told to be unverified, damage %v: expected 1 and none", unverified, damage)
	}
	s.guardOnce(false)
	if unverified := s.Unverified(); unverified != 0 {
		t.Errorf("%d tables are unverified once files can be opened", unverified)
	}
	flipAt(t, table, "mark-of-u7-")
	if got := readUnderDamage(t, s, 7); got != "error" {
		t.Errorf("the damaged entity is read as %s", got)
	}
}

// openedAs is how many of the process's files are one of a path.
func openedAs(t *testing.T, path string) (files int) {
	t.Helper()
	links, err := filepath.Glob("/proc/self/fd/*")
	if err != nil {
		t.Fatal(err)
	}
	for _, link := range links {
		if to, err := os.Readlink(link); err == nil && to == path {
			files++
		}
	}
	return files
}
