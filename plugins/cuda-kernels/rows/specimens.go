package rows

import "github.com/honeml/hone/plugins/cuda-kernels/device"

// Specimens asks a set for kernels of every kind, type and alignment, so that CI
// compiles them.
func Specimens(set *device.Set) {
	types := []device.Type{device.Float32, device.BFloat16, device.Float16}
	for _, t := range types {
		for _, u := range types {
			NewScale(set, t, u)
			NewEmbed(set, 4096, t, u)
			NewDropout(set, 4096, t, u)
		}
		for _, width := range []int{1, 30, 4096} {
			NewEmbed(set, width, t, t)
			NewIndex(set, width, t)
			NewBias(set, width, t)
			NewColumnSums(set, width, t)
			NewDropout(set, width, t, t)
		}
		NewSplit(set, 8, []int{512, 128, 128}, t)
		NewConcat(set, 3, []int{7, 2}, []bool{false, true}, t)
		NewConcat(set, 16, []int{128, 64}, []bool{false, true}, t)
		for _, kernel := range []int{1, 3, 4, 5, 8, 9, 64} {
			NewConv(set, 2048, kernel, t, true)
		}
		NewConv(set, 7, 4, t, true)
	}
}
