// Package graph is the Graph: a small, typed description of a language model's
// forward pass, from token ids to logits. A model plugin builds one with a
// [Builder]; a kernels plugin differentiates, plans and runs it. Neither knows
// the other.
//
// # Values
//
// There is no batch dimension. A [Value] is a matrix [T, width], row-major, over
// the T tokens of a micro-batch ([Batch]): one or more documents laid end to
// end. Attention and convolution never cross from one document into another. T
// is not part of the Graph.
//
// # Operations
//
// A [Node] applies an [Op] to values and gives one or more. The operations are
// few: [Embed], [Linear], [Norm], [RoPE], [Attention], [Map], [Split], [Concat],
// [Conv], and for mixtures of experts [Route], [ExpertLinear] and [Combine]. The
// doc comment of each is its definition; package interp is that definition in
// code, in float64, and every backend is tested against it. All operations
// compute in float32 or better and round once, at their end, to the activations'
// dtype.
//
// # Parameters
//
// A node refers to a [Param] by id, so tied weights are one parameter. A
// parameter has a role, by which adapters find their targets, the module path
// that PEFT knows it by, and a [Source]: where in a checkpoint its values stand.
//
// # Passes
//
// What every backend needs stands in packages beside this one: adapt puts
// adapters into a Graph, diff orders the backward pass, recompute trades memory
// for time, live lays values out in memory. None of them adds operations. Package
// dropout is the random numbers of adapters' dropout, and graphtest draws random
// Graphs for tests.
package graph
