package plugin

import "golang.org/x/sys/unix"

// dup2 makes newFD a copy of oldFD. Linux on arm64 has dup3 alone.
func dup2(oldFD, newFD int) error { return unix.Dup3(oldFD, newFD, 0) }
