//go:build !linux

package main

// releaseProgram is known of Linux alone.
func releaseProgram() {}
