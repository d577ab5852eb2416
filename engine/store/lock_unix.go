//go:build unix

package store

import (
	"errors"
	"os"
	"syscall"
)

// lockFree reports whether no other process has the store open. Badger takes
// the same lock, and only says in its text that it could not.
func lockFree(dir string) (bool, error) {
	handle, err := os.Open(dir)
	if err != nil {
		return false, err
	}
	defer handle.Close()
	err = syscall.Flock(int(handle.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
	if errors.Is(err, syscall.EWOULDBLOCK) {
		return false, nil
	}
	return err == nil, err
}
