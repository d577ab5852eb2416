//go:build !unix

package main

// maxOpenFiles is not known here.
func maxOpenFiles() uint64 { return 0 }
