//go:build !unix

package main

import "net"

// listenPrivately makes a socket, where modes do not say who can reach it.
func listenPrivately(path string) (net.Listener, error) { return net.Listen("unix", path) }
