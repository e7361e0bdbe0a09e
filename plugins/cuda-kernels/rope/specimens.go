package rope

import "github.com/honeml/hone/plugins/cuda-kernels/device"

// Specimens asks a set for rotations of every layout and type, so that CI compiles
// them.
func Specimens(set *device.Set) {
	for _, t := range []device.Type{device.Float32, device.BFloat16, device.Float16} {
		for _, interleaved := range []bool{false, true} {
			for _, s := range []Spec{
				{Heads: 32, HeadWidth: 128, Pairs: 64},
				{Heads: 9, HeadWidth: 64, Pairs: 32},
				{Heads: 32, HeadWidth: 96, Pairs: 24},
				{Heads: 16, HeadWidth: 192, Offset: 128, Pairs: 32},
				{Heads: 3, HeadWidth: 7, Offset: 1, Pairs: 3},
				{Heads: 1, HeadWidth: 16384, Pairs: 8192},
				{Heads: 2, HeadWidth: 4},
			} {
				s.Interleaved, s.Factor, s.Type = interleaved, 1, t
				New(set, s)
			}
		}
	}
}
