// Package rows holds the kernels that go through matrices row by row without
// mixing what a token holds with what others do: embedding, split and concat,
// gathering and scattering of rows, casts and sums, biases and their gradients,
// dropout; and the short convolution, which mixes a few neighbours.
//
// A kernel reads and writes what it must once, 16 bytes a thread where the widths
// allow, so its time is that of its bytes. Arithmetic is in float32, rounded once.
//
// What is summed over rows is summed in two stages, by [Sums]: each block adds up a
// fixed share of the rows, and then the shares are added in their order. So the bits
// do not depend on which block is first.
//
// It is not for norms and rotations (packages norm and rope), nor for expressions
// (package elementwise).
package rows
