//go:build !unix

package main

// keepFilesPrivate does nothing where modes do not say who can read a file.
func keepFilesPrivate() {}
