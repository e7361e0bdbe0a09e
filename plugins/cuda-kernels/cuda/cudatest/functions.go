package cudatest

import (
	"slices"
)

// Statuses of the driver: CUresult.
const (
	success       = 0
	invalidValue  = 1
	outOfMemory   = 2
	invalidHandle = 400
	notFound      = 500
	updateFailed  = 910
)

// Keys of a launch's extra list: CU_LAUNCH_PARAM_….
const (
	extraEnd    = 0
	extraBuffer = 1
	extraSize   = 2
)

// state is what the driver keeps.
type state struct {
	next    uintptr
	memory  map[uintptr][]byte // of the device and pinned, by address
	used    uint64             // of the device
	names   map[uintptr]string // functions
	graphs  map[uintptr][]func()
	streams map[uintptr]*capture
}

// A capture is what a stream that is captured has recorded; nil while it is not.
type capture struct{ work []func() }

func newState() state {
	return state{
		next: 0x1000, memory: map[uintptr][]byte{}, names: map[uintptr]string{},
		graphs: map[uintptr][]func(){}, streams: map[uintptr]*capture{},
	}
}

func (s *state) handle() uintptr {
	s.next += 0x10
	return s.next
}

// put runs work, or records it where the stream is captured.
func (s *state) put(stream uintptr, work func()) int32 {
	recorded, ok := s.streams[stream]
	switch {
	case !ok:
		return invalidHandle
	case recorded == nil:
		work()
	default:
		recorded.work = append(recorded.work, work)
	}
	return success
}

// allocate is new memory. Go's heap does not move it.
func (s *state) allocate(to, n uintptr) {
	b := make([]byte, n)
	address := addressOf(b)
	s.memory[address] = b
	*at[uintptr](to) = address
}

type function func(d *Driver, a [MaxArgs]uintptr) int32

func nothing(*Driver, [MaxArgs]uintptr) int32 { return success }

// handleTo is a function that makes a handle.
func handleTo(d *Driver, a [MaxArgs]uintptr) int32 {
	*at[uintptr](a[0]) = d.handle()
	return success
}

// functions are the driver's, by their names in the library.
var functions = map[string]function{
	"cuInit":             nothing,
	"cuDriverGetVersion": func(d *Driver, a [MaxArgs]uintptr) int32 { *at[int32](a[0]) = int32(d.Version); return success },
	"cuDeviceGetCount":   func(d *Driver, a [MaxArgs]uintptr) int32 { *at[int32](a[0]) = int32(len(d.GPUs)); return success },
	"cuDeviceGet":        func(_ *Driver, a [MaxArgs]uintptr) int32 { *at[int32](a[0]) = int32(a[1]); return success },
	"cuDeviceGetName": func(d *Driver, a [MaxArgs]uintptr) int32 {
		copy(memory(a[0], a[1]), d.GPUs[a[2]].Name+"\x00")
		return success
	},
	"cuDeviceGetUuid_v2":  func(d *Driver, a [MaxArgs]uintptr) int32 { *at[[16]byte](a[0]) = d.GPUs[a[1]].UUID; return success },
	"cuDeviceTotalMem_v2": func(d *Driver, a [MaxArgs]uintptr) int32 { *at[uint64](a[0]) = d.GPUs[a[1]].Memory; return success },
	"cuDeviceGetAttribute": func(d *Driver, a [MaxArgs]uintptr) int32 {
		*at[int32](a[0]) = d.GPUs[a[2]].Attributes[int(a[1])]
		return success
	},

	"cuDevicePrimaryCtxRetain":      handleTo,
	"cuDevicePrimaryCtxRelease_v2":  nothing,
	"cuDevicePrimaryCtxSetFlags_v2": nothing,
	"cuCtxSetCurrent":               nothing,
	"cuCtxSynchronize":              nothing,

	"cuMemGetInfo_v2": func(d *Driver, a [MaxArgs]uintptr) int32 {
		*at[uint64](a[0]), *at[uint64](a[1]) = d.GPUs[0].Memory-d.used, d.GPUs[0].Memory
		return success
	},
	"cuMemAlloc_v2": func(d *Driver, a [MaxArgs]uintptr) int32 {
		if uint64(a[1]) > d.GPUs[0].Memory-d.used {
			return outOfMemory
		}
		d.used += uint64(a[1])
		d.allocate(a[0], a[1])
		return success
	},
	"cuMemFree_v2": func(d *Driver, a [MaxArgs]uintptr) int32 {
		d.used -= uint64(len(d.memory[a[0]]))
		return d.free(a[0])
	},
	"cuMemHostAlloc": func(d *Driver, a [MaxArgs]uintptr) int32 { d.allocate(a[0], a[1]); return success },
	"cuMemFreeHost":  func(d *Driver, a [MaxArgs]uintptr) int32 { return d.free(a[0]) },

	"cuMemcpyHtoDAsync_v2": copyBytes,
	"cuMemcpyDtoHAsync_v2": copyBytes,
	"cuMemcpyDtoDAsync_v2": copyBytes,
	"cuMemsetD8Async": func(d *Driver, a [MaxArgs]uintptr) int32 {
		return d.put(a[3], func() {
			for i := range a[2] {
				*at[byte](a[0] + i) = byte(a[1])
			}
		})
	},
	"cuMemsetD32Async": func(d *Driver, a [MaxArgs]uintptr) int32 {
		return d.put(a[3], func() {
			for i := range a[2] {
				*at[uint32](a[0] + 4*i) = uint32(a[1])
			}
		})
	},

	"cuModuleLoadDataEx":  handleTo,
	"cuModuleUnload":      nothing,
	"cuModuleGetFunction": (*Driver).getFunction,
	"cuModuleGetGlobal_v2": func(d *Driver, a [MaxArgs]uintptr) int32 {
		d.allocate(a[0], 16)
		*at[uint64](a[1]) = 16
		return success
	},
	"cuFuncLoad": nothing,
	"cuFuncGetParamInfo": func(d *Driver, a [MaxArgs]uintptr) int32 {
		params := d.Kernels[d.names[a[0]]].Params
		if a[1] >= uintptr(len(params)) {
			return invalidValue
		}
		*at[uint64](a[2]), *at[uint64](a[3]) = params[a[1]][0], params[a[1]][1]
		return success
	},
	"cuFuncGetAttribute": func(d *Driver, a [MaxArgs]uintptr) int32 {
		*at[int32](a[0]) = d.GPUs[0].FuncValues[int(a[1])]
		return success
	},
	"cuFuncSetAttribute": nothing,
	"cuOccupancyMaxActiveBlocksPerMultiprocessor": func(d *Driver, a [MaxArgs]uintptr) int32 {
		*at[int32](a[0]) = d.GPUs[0].Occupancy
		return success
	},

	"cuStreamCreate": func(d *Driver, a [MaxArgs]uintptr) int32 {
		stream := d.handle()
		d.streams[stream] = nil
		*at[uintptr](a[0]) = stream
		return success
	},
	"cuStreamDestroy_v2":  func(d *Driver, a [MaxArgs]uintptr) int32 { delete(d.streams, a[0]); return success },
	"cuStreamSynchronize": nothing,
	"cuStreamQuery":       nothing,
	"cuStreamWaitEvent":   nothing,
	"cuStreamBeginCapture_v2": func(d *Driver, a [MaxArgs]uintptr) int32 {
		d.streams[a[0]] = &capture{}
		return success
	},
	"cuStreamEndCapture": func(d *Driver, a [MaxArgs]uintptr) int32 {
		graph := d.handle()
		d.graphs[graph], d.streams[a[0]] = d.streams[a[0]].work, nil
		*at[uintptr](a[1]) = graph
		return success
	},

	"cuEventCreate":      handleTo,
	"cuEventDestroy_v2":  nothing,
	"cuEventRecord":      nothing,
	"cuEventQuery":       nothing,
	"cuEventSynchronize": nothing,
	"cuEventElapsedTime": func(_ *Driver, a [MaxArgs]uintptr) int32 { *at[float32](a[0]) = 1.5; return success },

	"cuLaunchKernel":         (*Driver).launch,
	"cuTensorMapEncodeTiled": encodeTensorMap,

	"cuGraphInstantiateWithFlags": func(d *Driver, a [MaxArgs]uintptr) int32 {
		graph := d.handle()
		d.graphs[graph] = d.graphs[a[1]]
		*at[uintptr](a[0]) = graph
		return success
	},
	"cuGraphExecUpdate_v2": func(d *Driver, a [MaxArgs]uintptr) int32 {
		*at[[3]uint64](a[2]) = [3]uint64{}
		if len(d.graphs[a[0]]) != len(d.graphs[a[1]]) {
			return updateFailed
		}
		d.graphs[a[0]] = d.graphs[a[1]]
		return success
	},
	"cuGraphLaunch": func(d *Driver, a [MaxArgs]uintptr) int32 {
		for _, work := range d.graphs[a[0]] {
			work()
		}
		return success
	},
	"cuGraphUpload":      nothing,
	"cuGraphDestroy":     func(d *Driver, a [MaxArgs]uintptr) int32 { delete(d.graphs, a[0]); return success },
	"cuGraphExecDestroy": func(d *Driver, a [MaxArgs]uintptr) int32 { delete(d.graphs, a[0]); return success },
}

func copyBytes(d *Driver, a [MaxArgs]uintptr) int32 {
	return d.put(a[3], func() { copy(memory(a[0], a[2]), memory(a[1], a[2])) })
}

// encodeTensorMap writes what it was asked for in words of 64 bits, so that a test can
// read it from what a kernel was given: the type with the rank in the upper half, the
// address, the swizzle, five dimensions, four strides, and the tile's five, 12 bits each.
func encodeTensorMap(_ *Driver, a [MaxArgs]uintptr) int32 {
	if a[0]%64 != 0 || a[3]%16 != 0 || a[2] < 1 || a[2] > 5 {
		return invalidValue
	}
	words := at[[16]uint64](a[0])
	*words = [16]uint64{uint64(uint32(a[1])) | uint64(a[2])<<32, uint64(a[3]), uint64(a[9])}
	for i := range a[2] {
		words[3+i] = *at[uint64](a[4] + 8*i)
		words[12] |= uint64(*at[uint32](a[6] + 4*i)) << (12 * i)
		if i > 0 {
			words[7+i] = *at[uint64](a[5] + 8*(i-1))
		}
	}
	return success
}

func (s *state) free(address uintptr) int32 {
	if _, ok := s.memory[address]; !ok {
		return invalidValue
	}
	delete(s.memory, address)
	return success
}

func (d *Driver) getFunction(a [MaxArgs]uintptr) int32 {
	name := text(a[2])
	if _, ok := d.Kernels[name]; !ok {
		return notFound
	}
	handle := d.handle()
	d.names[handle] = name
	*at[uintptr](a[0]) = handle
	return success
}

func (d *Driver) launch(a [MaxArgs]uintptr) int32 {
	name, ok := d.names[a[0]]
	if !ok {
		return invalidHandle
	}
	kernel := d.Kernels[name]
	l := Launch{
		Kernel: name, Grid: [3]uint32{uint32(a[1]), uint32(a[2]), uint32(a[3])},
		Block: [3]uint32{uint32(a[4]), uint32(a[5]), uint32(a[6])}, SharedBytes: uint32(a[7]), Stream: a[8],
	}
	for i, param := range kernel.Params {
		if a[9] != 0 {
			l.Each = append(l.Each, slices.Clone(memory(*at[uintptr](a[9] + uintptr(8*i)), uintptr(param[1]))))
		}
	}
	if a[10] != 0 {
		l.Params = packed(a[10])
	}
	return d.put(l.Stream, func() {
		if kernel.Run != nil {
			kernel.Run(l)
		}
	})
}

// packed is the buffer of parameters that an extra list tells of.
func packed(extra uintptr) []byte {
	var buffer, size uintptr
	for ; *at[uintptr](extra) != extraEnd; extra += 16 {
		value := *at[uintptr](extra + 8)
		switch *at[uintptr](extra) {
		case extraBuffer:
			buffer = value
		case extraSize:
			size = *at[uintptr](value)
		}
	}
	return slices.Clone(memory(buffer, size))
}
