package gemm

import "github.com/honeml/hone/plugins/cuda-kernels/device"

// Specimens asks a set for products of both layouts and types, with ranks that fill a
// step of the inner dimension, some of it and more than one, and for some that are scaled,
// so that CI compiles them.
func Specimens(set *device.Set) {
	for _, t := range []device.Type{device.BFloat16, device.Float16} {
		for _, down := range []bool{false, true} {
			for _, rank := range []int{0, 8, 16, 64, 80, 256} {
				New(set, Spec{Type: t, Down: down, Rank: rank}, 132)
			}
			for _, rank := range []int{0, 16, 80} {
				New(set, Spec{Type: t, Down: down, Rank: rank, Scaled: true}, 132)
			}
		}
	}
}
