// Package cudatest is a CUDA driver without a GPU, for tests: the functions of
// libcuda that package cuda calls, as C functions, made of Go ones. What is passed to
// it went through the same calls as on a GPU.
//
// Its device memory is the host's. A stream runs its work at once, unless it is
// captured; kernels are Go functions that a test gives. It notes every call, and
// answers with an error where a test says so.
//
// It is no GPU: it has no time, checks no address, and cannot tell what a real driver
// would refuse.
package cudatest
