package rope

import "github.com/honeml/hone/plugins/cuda-kernels/device"

// Specimens asks a set for rotations of every layout and type, so that CI compiles
// them: every layout of bfloat16, and of the other types with and without vectors.
func Specimens(set *device.Set) {
	vectors := Spec{Heads: 32, HeadWidth: 128, Pairs: 64}
	odd := Spec{Heads: 3, HeadWidth: 7, Offset: 1, Pairs: 3}
	shapes := map[device.Type][]Spec{
		device.Float32: {vectors, odd},
		device.Float16: {vectors, odd},
		device.BFloat16: {
			vectors, odd,
			{Heads: 9, HeadWidth: 64, Pairs: 32},
			{Heads: 32, HeadWidth: 96, Pairs: 24},
			{Heads: 16, HeadWidth: 192, Offset: 128, Pairs: 32},
			{Heads: 1, HeadWidth: 16384, Pairs: 8192},
		},
	}
	for _, t := range []device.Type{device.BFloat16, device.Float16, device.Float32} {
		for _, s := range shapes[t] {
			for _, s.Interleaved = range []bool{false, true} {
				s.Factor, s.Type = 1, t
				New(set, s)
			}
		}
	}
	New(set, Spec{Heads: 2, HeadWidth: 4, Factor: 1, Type: device.BFloat16})
}
