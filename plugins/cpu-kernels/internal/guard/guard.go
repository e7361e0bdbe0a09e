// Package guard gives tests memory that ends where nothing follows: assembly that reads
// or writes one element too many is a segmentation fault there.
package guard

import "testing"

// Float32s is n zeros, the last of them at the end of mapped memory where the operating
// system is one on which this package knows how.
func Float32s(t testing.TB, n int) []float32 { return slice[float32](t, n) }

// Uint16s is the same of 16-bit numbers.
func Uint16s(t testing.TB, n int) []uint16 { return slice[uint16](t, n) }
