//go:build !linux

package guard

import "testing"

func slice[T float32 | uint16](_ testing.TB, n int) []T { return make([]T, n) }
