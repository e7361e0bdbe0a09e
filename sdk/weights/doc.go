// Package weights is a model's weights, whatever files they stand in: one view
// over safetensors, sharded or not, and GGUF, split or not.
//
//	c, err := weights.Open("/models/smollm2")
//	defer c.Close()
//	t, ok := c.Lookup("model.norm.weight")
//	err = t.Float32(values, 0)
//
// # Tensors
//
// A [Tensor] is a named array in a file, mapped, not read: its bytes can be used
// as they are ([Tensor.View]), or any range of its elements converted to float32
// ([Tensor.Float32]), quantised or not.
//
// # Sources
//
// A Graph's parameters are not tensors but expressions over tensors
// ([graph.Source]). [Resolve] binds one to a checkpoint and gives an [Array]: its
// shape is known at once, its elements are worked out range by range, and where
// the expression is no more than a contiguous part of one tensor, the bytes can be
// had without a copy ([Array.Raw]). [Check] compares a source's shape with the one
// that the Graph expects.
//
// # Files that change
//
// A file that is cut short while it is mapped gives an error, not a crash, in
// everything here; a program that reads Data itself does so inside
// [Tensor.View]. After [Checkpoint.Close] reads fail with fs.ErrClosed.
//
// # Packages
//
// The formats are in safetensors and gguf, which also write; the conversions in
// halffloat, float8 and quant; the list of element types in dtype. This package
// is not for writing, nor for holding weights: what a kernels plugin keeps, and in
// which precision, is its own business.
package weights
