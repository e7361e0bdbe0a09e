package norm

import "github.com/honeml/hone/plugins/cuda-kernels/device"

// Specimens asks a set for norms of every way to deal a group out, and every type,
// so that CI compiles them.
func Specimens(set *device.Set) {
	const f32, bf16, f16 = device.Float32, device.BFloat16, device.Float16
	for _, t := range [][2]device.Type{{bf16, bf16}, {f16, f16}, {f32, f32}, {f32, bf16}, {bf16, f32}, {f32, f16}, {f16, f32}} {
		New(set, Spec{Width: 4096, Groups: 1, Epsilon: 1e-5, Weight: 4096, X: t[0], Y: t[1]})
	}
	for _, size := range []int{1, 7, 64, 128, 576, 1152, 5120, 8192, 16384, 32768, 100000} {
		New(set, trained(size, false, bf16))
	}
	for _, size := range []int{7, 1024, 16384, 100000} {
		New(set, trained(size, true, bf16))
	}
	for _, size := range []int{7, 128, 1024, 8192, 32768} {
		New(set, trained(size, true, f32))
	}
	New(set, trained(1024, true, f16))
	for _, t := range []device.Type{bf16, f32} {
		New(set, Spec{Width: 3072, Groups: 24, Epsilon: 1e-6, PlusOne: true, Weight: 128, X: t, Y: t, TrainWeight: true})
		New(set, Spec{Width: 3072, Groups: 24, Epsilon: 1e-6, Weight: 3072, X: t, Y: t, TrainWeight: true})
		New(set, Spec{Width: 3072, Groups: 1, Epsilon: 1e-6, X: t, Y: t})
	}
}

// trained is a norm of one group with gradients of all that it has.
func trained(size int, centre bool, t device.Type) Spec {
	return Spec{
		Width: size, Groups: 1, Centre: centre, Epsilon: 1e-6, Weight: size, Bias: size,
		X: t, Y: t, TrainWeight: true, TrainBias: true,
	}
}
