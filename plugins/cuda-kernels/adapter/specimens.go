package adapter

import "github.com/honeml/hone/plugins/cuda-kernels/device"

// Specimens asks a set for kernels of every rank and type, for GPUs with little and with
// much shared memory, so that CI compiles them.
func Specimens(set *device.Set) {
	for _, t := range []device.Type{device.BFloat16, device.Float16} {
		for _, shared := range []int{99 << 10, 227 << 10} {
			for _, rank := range []int{8, 16, 24, 32} {
				New(set, Spec{Type: t, Widths: []int{4096}, Rank: rank, Shared: shared, Processors: 132})
			}
			New(set, Spec{Type: t, Widths: []int{4096, 1024, 1000}, Rank: 16, Shared: shared, Processors: 132})
			New(set, Spec{Type: t, Widths: []int{512, 1024, 1000, 8}, Rank: 32, Shared: shared, Processors: 132})
		}
	}
	for _, t := range []device.Type{device.BFloat16, device.Float16} {
		for _, shared := range []int{99 << 10, 227 << 10} {
			for _, rank := range []int{8, 16, 24, 32, 48, 64, 96} {
				NewInput(set, InputSpec{Type: t, Width: 4096, Rank: rank, Shared: shared, Processors: 132})
			}
			for _, of := range [][2]int{{8, 1}, {16, 1}, {24, 3}, {32, 2}, {48, 3}, {64, 2}} {
				NewInput(set, InputSpec{Type: t, Width: 4096, Rank: of[0], Dropped: of[1], Shared: shared, Processors: 132})
			}
		}
	}
	New(set, Spec{Type: device.BFloat16, Widths: []int{200}, Rank: 16, Shared: 227 << 10, Processors: 132})
}
