package cuda

import (
	"unsafe"

	"github.com/honeml/hone/sdk/fault"
)

// maxParameterBytes is how long a kernel's parameters can be.
const maxParameterBytes = 32764

// What leads an entry of a launch's extra list: CU_LAUNCH_PARAM_….
const (
	launchEnd    = 0
	launchBuffer = 1
	launchSize   = 2
)

// arguments are a launch's parameters as the driver reads them. The addresses in it
// are of the struct itself, which is on the heap and does not move.
type arguments struct {
	bytes    [maxParameterBytes + 4]byte
	size     uint64
	extra    [5]uintptr
	pointers [maxParameters]uintptr
}

// maxParameters is how many parameters LaunchParameters takes.
const maxParameters = 256

// parameterAlign is how the copies of single parameters are aligned: as the strictest
// type, a tensor map.
const parameterAlign = 64

// pack lays out the extra list for one buffer of parameters.
func (a *arguments) pack(params []byte, size int) {
	copy(a.bytes[:], params)
	a.size = uint64(size)
	a.extra = [5]uintptr{
		launchBuffer, uintptr(unsafe.Pointer(&a.bytes)),
		launchSize, uintptr(unsafe.Pointer(&a.size)),
		launchEnd,
	}
}

// Launch runs a kernel on the stream: grid blocks of block threads each, x, y and z,
// with sharedBytes of dynamic shared memory per block. params are the kernel's
// parameters, one after the other, each aligned to its own size, as C lays out a
// struct, without what C adds at its end or with it. They may be reused after the
// call. A kernel whose parameters are aligned to more than 16 bytes needs
// [Stream.LaunchParameters].
//
// An error in the kernel shows at a later call. Launch allocates nothing.
func (s *Stream) Launch(f *Function, grid, block [3]uint32, sharedBytes uint32, params []byte) error {
	size := f.ParameterBytes
	if size < 0 {
		size = len(params)
	}
	if len(params) < size || len(params) > (size+15)&^15 || len(params) > maxParameterBytes {
		return fault.New(fault.BadInput, "launching %s: its parameters take %d bytes, not %d", f.Name, size, len(params))
	}
	if size == 0 {
		return s.launch(f, grid, block, sharedBytes, 0, 0)
	}
	a := &s.c.args
	a.pack(params, size)
	return s.launch(f, grid, block, sharedBytes, 0, uintptr(unsafe.Pointer(&a.extra)))
}

// LaunchParameters is Launch with each parameter's bytes by itself, whatever its
// alignment: a tensor map (CUtensorMap) is aligned to 64.
func (s *Stream) LaunchParameters(f *Function, grid, block [3]uint32, sharedBytes uint32, params ...[]byte) error {
	a, at := &s.c.args, 0
	if len(params) > maxParameters {
		return fault.New(fault.BadInput, "launching %s: %d parameters, %d are possible", f.Name, len(params), maxParameters)
	}
	for i, param := range params {
		at = (at + parameterAlign - 1) &^ (parameterAlign - 1)
		if len(param) == 0 || at+len(param) > len(a.bytes) {
			return fault.New(fault.BadInput, "launching %s: parameter %d has %d bytes", f.Name, i, len(param))
		}
		copy(a.bytes[at:], param)
		a.pointers[i] = uintptr(unsafe.Pointer(&a.bytes[at]))
		at += len(param)
	}
	return s.launch(f, grid, block, sharedBytes, uintptr(unsafe.Pointer(&a.pointers)), 0)
}

// launch calls the driver. pointers and extra point into s.c.args, which is on the
// heap and lives as long as s.
func (s *Stream) launch(f *Function, grid, block [3]uint32, sharedBytes uint32, pointers, extra uintptr) error {
	c := s.c
	c.passed = [len(c.passed)]uintptr{
		f.handle,
		uintptr(grid[0]), uintptr(grid[1]), uintptr(grid[2]),
		uintptr(block[0]), uintptr(block[1]), uintptr(block[2]),
		uintptr(sharedBytes), s.handle, pointers, extra,
	}
	status := c.call(c.fn.launchKernel, c.passed[:11]...)
	if status != Success {
		return c.fail(status, "cuLaunchKernel", "of %s, grid %v, block %v, %d bytes of shared memory (%s)", f.Name, grid, block, sharedBytes, f)
	}
	c.launched(f.Name)
	return nil
}
