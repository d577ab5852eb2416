//go:build unix

package main

import "syscall"

// keepFilesPrivate has all that this process makes be its owner's alone, whatever the
// directory lets others see: Badger makes its files for whoever the umask lets read them,
// and a socket can be reached from the moment when it is made.
func keepFilesPrivate() { syscall.Umask(0o077) }
