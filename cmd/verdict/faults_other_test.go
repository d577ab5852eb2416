//go:build !linux

package main

import "syscall"

func dyingWithTest() *syscall.SysProcAttr { return nil }
