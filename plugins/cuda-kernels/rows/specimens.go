package rows

import "github.com/honeml/hone/plugins/cuda-kernels/device"

// Specimens asks a set for kernels of every kind, type and alignment, so that CI
// compiles them: every alignment of bfloat16, and of the other types one of vectors
// and one without.
func Specimens(set *device.Set) {
	const f32, bf16, f16 = device.Float32, device.BFloat16, device.Float16
	for _, t := range [][2]device.Type{{bf16, bf16}, {f16, f16}, {f32, f32}, {f32, bf16}, {bf16, f32}, {f32, f16}, {f16, f32}} {
		NewScale(set, t[0], t[1])
		NewEmbed(set, 4096, t[0], t[1])
		NewDropout(set, 4096, 1, t[0], t[1])
	}
	widths := map[device.Type][]int{bf16: {4096, 30, 1}, f16: {4096}, f32: {4096, 30}}
	kernels := map[device.Type][]int{bf16: {1, 3, 4, 5, 8, 9, 64}, f16: {4}, f32: {4, 8, 9}}
	for _, t := range []device.Type{bf16, f16, f32} {
		for _, width := range widths[t] {
			NewEmbed(set, width, t, t)
			NewIndex(set, width, t)
			NewPick(set, width, 3, t)
			NewBias(set, width, t)
			NewColumnSums(set, width, t)
			NewDropout(set, width, 1, t, t)
		}
		for _, kernel := range kernels[t] {
			NewConv(set, 2048, kernel, t, true)
		}
		NewConcat(set, 16, []int{128, 64}, []bool{false, true}, t)
	}
	for _, t := range [][2]device.Type{{bf16, bf16}, {f16, f16}, {f32, f32}, {bf16, f32}} {
		NewScaled(set, 4096, t[0], t[1])
		NewDoRA(set, DoRASpec{Type: t[0], Weight: t[1], In: 4096, Out: 14336, Rank: 16})
	}
	for _, t := range []device.Type{bf16, f16} {
		for _, rank := range []int{8, 16, 96} {
			NewRowNorms(set, DoRASpec{Type: t, Weight: t, In: 4096, Out: 14336, Rank: rank})
		}
	}
	for _, rank := range []int{3, 256, MostDoRARank} {
		NewDoRA(set, DoRASpec{Type: bf16, Weight: bf16, In: 30, Out: 7, Rank: rank})
	}
	NewDropout(set, 2048, 8, bf16, bf16)
	NewConv(set, 7, 4, bf16, true)
	NewSplit(set, 8, []int{512, 128, 128}, bf16)
	NewConcat(set, 3, []int{7, 2}, []bool{false, true}, bf16)
}
