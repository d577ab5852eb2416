//go:build unix

package store

import (
	"errors"
	"os"
	"syscall"
)

// canHold is whether a lock outlasts the call of lock.
const canHold = true

// lock locks a directory until unlock is called or the process ends.
func lock(dir string) (unlock func(), err error) {
	handle, err := os.Open(dir)
	if err != nil {
		return nil, err
	}
	if err := syscall.Flock(int(handle.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		handle.Close()
		if errors.Is(err, syscall.EWOULDBLOCK) {
			err = errLocked
		}
		return nil, err
	}
	return func() { handle.Close() }, nil
}
