// Package dl finds NVIDIA's shared libraries on this machine and opens them at
// run time, so that hone needs neither cgo nor a CUDA toolkit to be built.
//
// A [Spec] says what a library is, under which sonames it may lie and which
// packages bring it; [Driver], [NVRTC], [CublasLt] and [NCCL] are the ones that
// hone uses. A [Finder] knows the folders to look in, in order: those that the user
// names, the loader's, a toolkit's, and those of pip's nvidia-* packages. It gives
// [Candidate]s without running any code of theirs, opens the first that serves as a
// [Library], and writes the [Report] that says what was found, where, in which
// version, what is missing and how to get it.
//
// It is not for calling what a library has: the packages cuda, nvrtc and cublaslt
// do, each with the symbols it takes from a [Library].
//
// Opening ties a program to the C library of glibc, which NVIDIA's libraries need
// in any case.
package dl
