// Package elementwise computes the Graph's map op on a GPU: expressions of package
// expr, forward and backward, compiled from CUDA C++ that is written for each.
//
// A node becomes up to five kernels. One computes y. One computes the gradients of
// all inputs that are as wide as y: it reads the inputs and dy once and writes each
// dx. One for each smaller width of an input sums dy·∂y/∂x over the columns that the
// input was broadcast to. Two more sum over rows, for trained parameters.
//
// The text of a kernel depends on the expression, the widths and the types alone, not
// on names, so that equal nodes of a model's layers are compiled once.
//
// It is not for maps that other kernels have taken in, such as a residual sum with
// the norm after it.
package elementwise
