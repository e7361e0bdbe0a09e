//go:build !linux

package main

// availableMemory is 0: not known here. A limit can be set in the run file.
func availableMemory() int64 { return 0 }

// residentMemory is 0: not known here.
func residentMemory() float64 { return 0 }
