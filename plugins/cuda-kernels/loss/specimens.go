package loss

import "github.com/honeml/hone/plugins/cuda-kernels/device"

// Specimens asks a set for a grid of shapes that stands for what models have.
func Specimens(set *device.Set) {
	for _, t := range []device.Type{device.Float32, device.BFloat16, device.Float16} {
		for _, vocab := range []int{2, 97, 1024, 32000, 50257, 128256, 262144} {
			New(set, Spec{Vocab: vocab, Type: t})
		}
		New(set, Spec{Vocab: 50257, Stride: 50264, Type: t})
	}
}
