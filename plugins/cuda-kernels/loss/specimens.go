package loss

import "github.com/honeml/hone/plugins/cuda-kernels/device"

// Specimens asks a set for a grid of shapes that stands for what models have: blocks
// of every size, and rows that begin anywhere.
func Specimens(set *device.Set) {
	for _, vocab := range []int{2, 97, 1024, 32000, 50257, 128256, 262144} {
		New(set, Spec{Vocab: vocab, Type: device.BFloat16})
	}
	New(set, Spec{Vocab: 50257, Stride: 50264, Type: device.BFloat16})
	for _, t := range []device.Type{device.Float32, device.Float16} {
		New(set, Spec{Vocab: 97, Type: t})
		New(set, Spec{Vocab: 128256, Type: t})
	}
}
