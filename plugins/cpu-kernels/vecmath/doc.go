// Package vecmath computes over slices of float32: exponentials and their kin,
// arithmetic, sums. What the kernels of this plugin do to activations, apart from
// matrix products, they do by it.
//
// The functions of one argument, such as [Exp], set dst[i] from x[i]; those of more do
// alike. dst must be as long as the arguments at least, or they panic, and may be one
// of the arguments, but not overlap them otherwise. An element's result depends on its
// arguments alone, not on where in a slice it stands. The reductions, such as [Sum],
// add in an order that the length alone decides.
//
// # Accuracy
//
// In units of the last place of the float32 nearest to the exact value: [Exp] and [Log]
// are off by 1.1 at most, [Expm1], [Log1p], [Tanh], [Sigmoid], [Softplus] and [Erf] by 3;
// the tests measure it over all magnitudes. Subnormal results are rounded, not flushed.
// Infinities, zeros and NaN give what they give in package math, but for the sign of a
// zero from Log1p, Expm1 and Softplus.
//
// # Instructions
//
// On amd64 with AVX2 the functions are assembly, eight elements at a time, written by
// the program in asm; elsewhere plain Go. Both keep what is said above; they differ in
// the last places. Package isa chooses once, when the program starts.
package vecmath

//go:generate go run -modfile=../../../tools/avo/go.mod asm/main.go asm/loop.go asm/values.go asm/transcendental.go asm/coefficients.go asm/reductions.go -out vecmath_amd64.s -stubs stubs_amd64.go -pkg vecmath
