package norm

import "github.com/honeml/hone/plugins/cuda-kernels/device"

// Specimens asks a set for norms of every way to deal a group out, and every type,
// so that CI compiles them.
func Specimens(set *device.Set) {
	types := []device.Type{device.Float32, device.BFloat16, device.Float16}
	for _, x := range types {
		for _, y := range types {
			New(set, Spec{Width: 4096, Groups: 1, Epsilon: 1e-5, Weight: 4096, X: x, Y: y})
		}
		for _, size := range []int{1, 7, 64, 128, 576, 1024, 1152, 5120, 8192, 16384, 32768, 100000} {
			for _, centre := range []bool{false, true} {
				New(set, Spec{
					Width: size, Groups: 1, Centre: centre, Epsilon: 1e-6, Weight: size, Bias: size,
					X: x, Y: x, TrainWeight: true, TrainBias: true,
				})
			}
		}
		New(set, Spec{Width: 3072, Groups: 24, Epsilon: 1e-6, PlusOne: true, Weight: 128, X: x, Y: x, TrainWeight: true})
		New(set, Spec{Width: 3072, Groups: 24, Epsilon: 1e-6, Weight: 3072, X: x, Y: x, TrainWeight: true})
		New(set, Spec{Width: 3072, Groups: 1, Epsilon: 1e-6, X: x, Y: x})
	}
}
