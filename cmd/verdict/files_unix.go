//go:build unix

package main

import "syscall"

// keepFilesPrivate has all that this process makes be its owner's alone, whatever the
// directory lets others see: Badger makes its files for whoever the umask lets read them.
func keepFilesPrivate() { syscall.Umask(0o077) }
