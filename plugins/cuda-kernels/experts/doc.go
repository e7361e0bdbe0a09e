// Package experts is mixtures of experts on a GPU: graph.Route, graph.ExpertLinear and
// graph.Combine, forward and backward.
//
// A [Route] chooses each token's experts and weights their results; its balancing loss
// goes by a [Balance]. A [Grouping] then
// sorts the slots, a token's places for its experts, by expert, once for all that reads
// the choice: how many slots an expert has stays on the GPU, and no launch depends on
// it. A [Product] multiplies slots by their experts' matrices, an adapter's share
// included; an [Outer] gives the gradients of such matrices, a [BiasSums] those of
// their biases; a [Pack] brings the B of an adapter into the order that products read.
// A [Combine] adds a token's slots up.
//
// bfloat16 and float16 run on tensor cores (product.cu), float32 on plain.cu, which has
// the same kernels by the same names. Sums are in a fixed order, without atomics on
// numbers: two runs give the same bits.
//
// It is not for the linears of a router or of shared experts (cuBLASLt has those), nor
// for the order in which the kernels of a node run (package engine).
package experts
