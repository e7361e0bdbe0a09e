package experts

import (
	"github.com/honeml/hone/plugins/cuda-kernels/device"
	"github.com/honeml/hone/sdk/graph"
)

// Specimens asks a set for what CI compiles for each GPU: narrow and wide products of
// each pass, widths that have no alignment, and routes of every kind. The first of each
// kernel, which is compiled for most GPUs, takes the compiler least.
func Specimens(set *device.Set) {
	const f32, bf16, f16 = device.Float32, device.BFloat16, device.Float16
	NewProduct(set, ProductSpec{Depth: 2048, Width: 4, Share: 8, Transposed: true, Type: bf16})
	NewProduct(set, ProductSpec{Depth: 1536, Width: 16, Share: 1, Type: bf16})
	NewProduct(set, ProductSpec{Depth: 7, Width: 33, Depth2: 3, Share: 2, Transposed: true, Type: f16})
	NewOuter(set, OuterSpec{Height: 2048, Width: 16, HeightShare: 8, WidthShare: 1, Expert: 2048 * 16, Row: 1, Column: 2048, Type: bf16})
	for _, t := range []device.Type{bf16, f32} {
		NewProduct(set, ProductSpec{Depth: 2048, Width: 1536, Depth2: 16, Share: 8, Transposed: true, Type: t})
		NewOuter(set, OuterSpec{Height: 1536, Width: 2048, HeightShare: 1, WidthShare: 8, Expert: 1536 * 2048, Row: 2048, Column: 1, Type: t})
		NewBiasSums(set, 128, 1536, t)
	}
	NewProduct(set, ProductSpec{Depth: 1536, Width: 2048, Depth2: 16, Share: 1, Type: bf16})
	NewPack(set, 128, 1536, 16, bf16)
	NewPack(set, 128, 1536, 3, f32)
	NewGrouping(set, mostExperts, 8, bf16)
	NewRoute(set, graph.Route{Experts: 128, TopK: 8, Groups: 1, Keep: 1, GroupTop: 1, Normalise: true, Factor: 1, Bias: graph.NoParam}, bf16)
	NewRoute(set, graph.Route{Experts: 256, TopK: 8, Sigmoid: true, Groups: 8, Keep: 4, GroupTop: 2, Normalise: true, NormEpsilon: 1e-20, Factor: 2.5}, f32)
	NewRoute(set, graph.Route{Experts: mostExperts, TopK: 4, After: true, Groups: 1, Keep: 1, GroupTop: 1, Factor: 1, Bias: graph.NoParam}, f16)
	NewRoute(set, graph.Route{Experts: 128, TopK: 8, Groups: 1, Keep: 1, GroupTop: 1, Normalise: true, Factor: 1, Bias: graph.NoParam, Balance: 1}, f32)
	NewRoute(set, graph.Route{Experts: 256, TopK: 8, Sigmoid: true, Groups: 8, Keep: 4, GroupTop: 2, Factor: 2.5, Balance: 1}, bf16)
	NewRoute(set, graph.Route{Experts: 33, TopK: 3, After: true, Groups: 1, Keep: 1, GroupTop: 1, Factor: 1, Bias: graph.NoParam, Balance: 1}, f16)
	NewCombine(set, CombineSpec{Width: 2048, Slots: 8, X: bf16, Y: bf16, Weight: f32})
	NewCombine(set, CombineSpec{Width: 7, Slots: 2, Plain: true, X: f16, Y: f32, Weight: f16})
}
