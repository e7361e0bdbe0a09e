//go:build !amd64 && !arm64

package isa

// Supported lists the levels of this machine, the best last.
func Supported() []Level { return []Level{Generic} }
