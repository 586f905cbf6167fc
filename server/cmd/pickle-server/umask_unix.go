//go:build unix

package main

import "syscall"

// ownerOnly has files made with mode 0600 until the function that it returns is called.
func ownerOnly() func() {
	old := syscall.Umask(0o177)
	return func() { syscall.Umask(old) }
}
