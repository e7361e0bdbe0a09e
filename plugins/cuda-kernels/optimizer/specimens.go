package optimizer

import "github.com/honeml/hone/plugins/cuda-kernels/device"

// Specimens asks a set for an optimizer of each type.
func Specimens(set *device.Set) {
	for t := device.Float32; t <= device.Float16; t++ {
		New(set, Spec{Elements: 1 << 20, Copy: t})
	}
}
