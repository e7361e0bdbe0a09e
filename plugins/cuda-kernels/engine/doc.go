// Package engine binds a Graph to a GPU and runs it.
//
// [Bind] differentiates the Graph, decides what is kept and how large micro-batches
// are, and lays out one piece of memory, the arena: weights, trainable parameters
// with their gradients and moments, activations, workspaces, the cache of
// generation. [Engine.Load] takes that memory and nothing is allocated afterwards:
// the plan is the truth.
//
// Each operation of the Graph has a node (node_linear.go, node_rows.go, …) that turns its
// inputs and outputs, places in the arena, into launches of the kernel packages
// beside this one and products of cuBLASLt. A micro-batch of T tokens runs as one of
// rows rows, T rounded up to a bucket: the rows beyond T are documents of one token
// whose prediction has no weight, so that they contribute exactly nothing and no
// kernel knows of them.
//
// Trainable parameters, their gradients and moments lie in flat float32 buffers; a
// copy in the activations' type, which the products read, is written by the update.
//
// All work is on one stream, and the host runs ahead of it: a step is enqueued
// whole, and its loss is read once the next one was enqueued.
package engine
