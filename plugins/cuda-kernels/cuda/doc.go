// Package cuda is CUDA's driver interface for Go: devices, streams, events, memory,
// modules, launches and graphs, without cgo.
//
// How the pieces meet. [Open] takes libcuda, which package dl found, and gives a
// [Driver]; [Driver.Devices] tells what GPUs there are. A [Thread] is one goroutine
// on one locked thread of the system on which the [Context] of a device is current;
// all work goes through [Thread.Do]:
//
//	err := thread.Do(ctx, func(c *cuda.Context) error {
//		module, err := c.LoadModule("norm.cu", cubin)
//		...
//		function, err := module.Function("norm")
//		...
//		stream, err := c.NewStream()
//		...
//		return stream.Launch(function, [3]uint32{rows, 1, 1}, [3]uint32{256, 1, 1}, 0, params)
//	})
//
// Work on a [Stream] runs in order and beside the host; an [Event] is a point in it.
// What is recorded with [Stream.Capture] becomes a [Graph], whose launch costs the
// host what one kernel costs.
//
// What repeats every step allocates nothing in Go: launches, of kernels and graphs,
// copies, events. A Context holds the memory that the driver reads and writes then.
//
// Every answer of the driver is checked. An [*Error] names the call and the status,
// and wraps a fault: fault.OutOfMemory, fault.DeviceLost for the errors after which
// a context answers nothing else (an illegal address, an ECC error), fault.Unsupported
// for a driver or device that cannot do what was asked. After fault.DeviceLost the
// Thread answers every call with that same error: only a new process can go on. Work that
// does not end is such an error too, after [Patience] or what a call says: [ErrHung].
//
// It is not for deciding where things lie in memory, nor for what kernels compute. It
// allocates no managed memory, and knows nothing of several devices talking to each
// other. Nothing but a [Driver] and a Thread is safe for concurrent use.
package cuda
