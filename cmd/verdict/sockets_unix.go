//go:build unix

package main

import (
	"net"
	"syscall"
)

// listenPrivately makes a socket for its owner alone. What other goroutines create in the
// same moment is for its owner alone as well, at worst.
func listenPrivately(path string) (net.Listener, error) {
	before := syscall.Umask(0o077)
	defer syscall.Umask(before)
	return net.Listen("unix", path)
}
