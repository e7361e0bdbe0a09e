// Package nvrtc compiles CUDA C++ for a GPU at run time, with NVIDIA's NVRTC, and
// keeps what it compiled on disk. It needs no GPU, no driver and no toolkit.
//
// How the pieces meet. [Open] takes libnvrtc, which package dl found, and gives a
// [Compiler]; [ArchOf] says for what a device's kernels are to be compiled. A
// [Request] is a source with its headers and options; [Compiler.Compile] turns it
// into a [Result], a cubin that the driver loads. [Cache.Compile] looks first whether
// the disk has the Result of an equal Request:
//
//	arch, err := nvrtc.ArchOf(9, 0, compiler.Archs()) // "sm_90a"
//	result, err := cache.Compile(ctx, compiler, nvrtc.Request{
//		Name: "norm.cu", Source: source, Options: []string{"-DWIDTH=4096"}, Arch: arch,
//	})
//
// Kernels are declared extern "C" __global__, so that the driver finds them by the
// names that they have in the source.
//
// It is not for linking, nor for PTX: code is compiled for one architecture, to the
// end.
package nvrtc
