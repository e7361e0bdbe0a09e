package cuda_test

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"runtime"
	"slices"
	"strings"
	"testing"

	"github.com/honeml/hone/plugins/cuda-kernels/cuda"
	"github.com/honeml/hone/plugins/cuda-kernels/cuda/cudatest"
)

// arities are how many arguments each function takes, as cuda.h declares it.
var arities = map[string]int{
	"cuInit": 1, "cuDriverGetVersion": 1,
	"cuDeviceGetCount": 1, "cuDeviceGet": 2, "cuDeviceGetName": 3, "cuDeviceGetUuid_v2": 2, "cuDeviceTotalMem_v2": 2, "cuDeviceGetAttribute": 3,
	"cuDevicePrimaryCtxRetain": 2, "cuDevicePrimaryCtxRelease_v2": 1, "cuDevicePrimaryCtxSetFlags_v2": 2,
	"cuCtxSetCurrent": 1, "cuCtxSynchronize": 0,
	"cuMemGetInfo_v2": 2, "cuMemAlloc_v2": 2, "cuMemFree_v2": 1, "cuMemHostAlloc": 3, "cuMemFreeHost": 1,
	"cuMemcpyHtoDAsync_v2": 4, "cuMemcpyDtoHAsync_v2": 4, "cuMemcpyDtoDAsync_v2": 4, "cuMemsetD8Async": 4, "cuMemsetD32Async": 4,
	"cuModuleLoadDataEx": 5, "cuModuleUnload": 1, "cuModuleGetFunction": 3, "cuModuleGetGlobal_v2": 4,
	"cuFuncLoad": 1, "cuFuncGetParamInfo": 4, "cuFuncGetAttribute": 3, "cuFuncSetAttribute": 3,
	"cuOccupancyMaxActiveBlocksPerMultiprocessor": 4,
	"cuStreamCreate": 2, "cuStreamDestroy_v2": 1, "cuStreamSynchronize": 1, "cuStreamQuery": 1, "cuStreamWaitEvent": 3,
	"cuStreamBeginCapture_v2": 2, "cuStreamEndCapture": 2,
	"cuEventCreate": 2, "cuEventDestroy_v2": 1, "cuEventRecord": 2, "cuEventQuery": 1, "cuEventSynchronize": 1, "cuEventElapsedTime": 3,
	"cuLaunchKernel":              11,
	"cuTensorMapEncodeTiled":      12,
	"cuGraphInstantiateWithFlags": 3, "cuGraphExecUpdate_v2": 3, "cuGraphLaunch": 2, "cuGraphUpload": 2, "cuGraphDestroy": 1, "cuGraphExecDestroy": 1,
}

// A call is a call of the fake driver, with as many arguments as the function has.
type call struct {
	name string
	args []uintptr
}

func (c call) String() string {
	var b strings.Builder
	b.WriteString(c.name)
	for _, arg := range c.args {
		fmt.Fprintf(&b, " %d", arg)
	}
	return b.String()
}

func callsOf(fake *cudatest.Driver) []call {
	var out []call
	for _, c := range fake.Calls() {
		out = append(out, call{name: c.Name, args: c.Args[:arities[c.Name]]})
	}
	return out
}

// Each operation is one call, with the arguments that cuda.h gives it. "*" stands
// for an address of a result.
func TestCalls(t *testing.T) {
	fake := newFake(t)
	do(t, fake, func(c *cuda.Context) error {
		f, s := function(t, c, "nothing")
		event, err := c.NewEvent(true)
		if err != nil {
			return err
		}
		start, err := c.NewEvent(true)
		if err != nil {
			return err
		}
		p, err := c.Alloc(64)
		if err != nil {
			return err
		}
		h, q := uint64(s.Handle()), uint64(p)
		// The fake's handles follow each other; these are asked for last.
		startHandle := uint64(s.Handle()) + 0x20
		eventHandle := startHandle - 0x10
		functionHandle := h - 0x10
		host, err := c.AllocHost(64)
		if err != nil {
			return err
		}
		tests := []struct {
			name string
			do   func() error
			want string
		}{
			{"Synchronize", c.Synchronize, "cuCtxSynchronize"},
			{"MemInfo", func() error { _, _, err := c.MemInfo(); return err }, "cuMemGetInfo_v2 * *"},
			{"Alloc", func() error {
				fake.Answer("cuMemAlloc_v2", 1) // so much memory is not to be had here
				if _, err := c.Alloc(5 << 32); !errors.Is(err, cuda.InvalidValue) {
					t.Errorf("got %v", err)
				}
				return nil
			}, "cuMemAlloc_v2 * 21474836480"},
			{"AllocHost", func() error { _, err := c.AllocHost(128); return err }, "cuMemHostAlloc * 128 1"},
			{"Fill8", func() error { return s.Fill8(p, 0xff, 7) }, fmt.Sprintf("cuMemsetD8Async %d 255 7 %d", q, h)},
			{"Fill32", func() error { return s.Fill32(p, math.MaxUint32, 3) }, fmt.Sprintf("cuMemsetD32Async %d 4294967295 3 %d", q, h)},
			{"Copy", func() error { return s.Copy(p+32, p, 16) }, fmt.Sprintf("cuMemcpyDtoDAsync_v2 %d %d 16 %d", q+32, q, h)},
			{"CopyToDevice", func() error { return s.CopyToDevice(p, host.Bytes()[:8]) }, fmt.Sprintf("cuMemcpyHtoDAsync_v2 %d * 8 %d", q, h)},
			{"CopyToHost", func() error { return s.CopyToHost(host.Bytes()[:9], p) }, fmt.Sprintf("cuMemcpyDtoHAsync_v2 * %d 9 %d", q, h)},
			{"Record", func() error { return s.Record(event) }, fmt.Sprintf("cuEventRecord %d %d", eventHandle, h)},
			{"Wait", func() error { return s.Wait(event) }, fmt.Sprintf("cuStreamWaitEvent %d %d 0", h, eventHandle)},
			{"Stream.Synchronize", s.Synchronize, fmt.Sprintf("cuStreamSynchronize %d", h)},
			{"Stream.Done", func() error { _, err := s.Done(); return err }, fmt.Sprintf("cuStreamQuery %d", h)},
			{"Event.Synchronize", event.Synchronize, fmt.Sprintf("cuEventSynchronize %d", eventHandle)},
			{"Event.Done", func() error { _, err := event.Done(); return err }, fmt.Sprintf("cuEventQuery %d", eventHandle)},
			{"Since", func() error {
				ms, err := event.Since(start)
				if ms != 1.5 {
					t.Errorf("%g ms have gone by", ms)
				}
				return err
			}, fmt.Sprintf("cuEventElapsedTime * %d %d", startHandle, eventHandle)},
			{"NewEvent with timing", func() error { _, err := c.NewEvent(true); return err }, "cuEventCreate * 1"},
			{"NewEvent without", func() error { _, err := c.NewEvent(false); return err }, "cuEventCreate * 3"},
			{"NewStream", func() error { _, err := c.NewStream(); return err }, "cuStreamCreate * 1"},
			{"SetDynamicShared", func() error { return f.SetDynamicShared(200 << 10) },
				fmt.Sprintf("cuFuncSetAttribute %d 8 204800; cuFuncSetAttribute %d 9 100", functionHandle, functionHandle)},
			{"SetCarveOut", func() error { return f.SetCarveOut(-1) }, fmt.Sprintf("cuFuncSetAttribute %d 9 4294967295", functionHandle)},
			{"Occupancy", func() error {
				blocks, err := f.Occupancy(256, 1024)
				if blocks != 2 {
					t.Errorf("%d blocks", blocks)
				}
				return err
			}, fmt.Sprintf("cuOccupancyMaxActiveBlocksPerMultiprocessor * %d 256 1024", functionHandle)},
			{"Launch", func() error { return s.Launch(f, [3]uint32{1 << 31, 2, 3}, [3]uint32{4, 5, 6}, 7, nil) },
				fmt.Sprintf("cuLaunchKernel %d 2147483648 2 3 4 5 6 7 %d 0 0", functionHandle, h)},
			{"TensorMap", func() error {
				_, err := c.TensorMap(&cuda.Tensor{Type: cuda.TensorBFloat16, Address: p, Dims: [5]int64{64, 10}, Strides: [4]int64{512}, Box: [5]int{64, 8}, Swizzle: cuda.Swizzle128})
				return err
			}, fmt.Sprintf("cuTensorMapEncodeTiled * 9 2 %d * * * * 0 3 2 0", q)},
			{"Free", func() error { return c.Free(p) }, fmt.Sprintf("cuMemFree_v2 %d", q)},
			{"Free of nothing", func() error { return c.Free(0) }, ""},
			{"HostMemory.Free", host.Free, "cuMemFreeHost *"},
			{"HostMemory.Free again", host.Free, ""},
			{"Event.Close", event.Close, fmt.Sprintf("cuEventDestroy_v2 %d", eventHandle)},
			{"Event.Close again", event.Close, ""},
			{"Stream.Close", s.Close, fmt.Sprintf("cuStreamDestroy_v2 %d", h)},
			{"Stream.Close again", s.Close, ""},
			{"what copies nothing", func() error { return s.CopyToDevice(p, nil) }, ""},
		}
		for _, tt := range tests {
			fake.Calls()
			if err := tt.do(); err != nil {
				t.Errorf("%s: %v", tt.name, err)
			}
			if got := callsOf(fake); !fits(got, tt.want) {
				t.Errorf("%s called %v, want %s", tt.name, got, tt.want)
			}
		}
		return nil
	})
}

// fits reports whether the calls are those that want lists.
func fits(calls []call, want string) bool {
	var lines []string
	if want != "" {
		lines = strings.Split(want, "; ")
	}
	return slices.EqualFunc(calls, lines, func(c call, line string) bool {
		return slices.EqualFunc(strings.Fields(c.String()), strings.Fields(line), func(got, want string) bool {
			return got == want || want == "*" && got != "0"
		})
	})
}

// Every operation that can fail names its call and its object.
func TestFailuresAreNamed(t *testing.T) {
	fake := newFake(t)
	do(t, fake, func(c *cuda.Context) error {
		f, s := function(t, c, "nothing")
		p, err := c.Alloc(64)
		if err != nil {
			return err
		}
		tests := []struct {
			call string
			do   func() error
			want string
		}{
			{"cuLaunchKernel", func() error { return s.Launch(f, [3]uint32{1, 2, 3}, [3]uint32{64, 1, 1}, 9, nil) },
				"cuLaunchKernel of nothing, grid [1 2 3], block [64 1 1], 9 bytes of shared memory (nothing: 40 registers, 128 bytes shared, 16 local)"},
			{"cuMemcpyHtoDAsync_v2", func() error { return s.CopyToDevice(0x10, make([]byte, 8)) }, "cuMemcpyHtoDAsync of 8 bytes to address 0x10"},
			{"cuMemcpyDtoHAsync_v2", func() error { return s.CopyToHost(make([]byte, 8), 0x10) }, "cuMemcpyDtoHAsync of 8 bytes from address 0x10"},
			{"cuMemcpyDtoDAsync_v2", func() error { return s.Copy(0x20, 0x10, 8) }, "cuMemcpyDtoDAsync of 8 bytes from address 0x10 to 0x20"},
			{"cuMemsetD8Async", func() error { return s.Fill8(0x10, 0, 8) }, "cuMemsetD8Async of 8 bytes at address 0x10"},
			{"cuMemsetD32Async", func() error { return s.Fill32(0x10, 0, 8) }, "cuMemsetD32Async of 8 words at address 0x10"},
			{"cuFuncSetAttribute", func() error { return f.SetDynamicShared(1 << 20) }, "cuFuncSetAttribute of nothing: dynamic shared memory 1048576"},
			{"cuMemFree_v2", func() error { return c.Free(p) }, fmt.Sprintf("cuMemFree of address %#x", uint64(p))},
		}
		for _, tt := range tests {
			fake.Answer(tt.call, 1)
			err := tt.do()
			want := tt.want + ": a value that the call does not take (CUDA_ERROR_INVALID_VALUE, 1)"
			if err == nil || err.Error() != want {
				t.Errorf("got  %v\nwant %s", err, want)
			}
		}
		return nil
	})
}

// What C writes to and reads from neither moves nor goes, though Go's stack grows
// and memory is collected within each call.
func TestMemoryStaysWhereItIs(t *testing.T) {
	fake := newFake(t)
	var launched []cudatest.Launch
	fake.Kernels["saxpy"] = cudatest.Kernel{Params: fake.Kernels["saxpy"].Params, Run: func(l cudatest.Launch) { launched = append(launched, l) }}
	fake.Before = func(string) {
		deep(200)
		runtime.GC()
	}
	do(t, fake, func(c *cuda.Context) error {
		f, s := function(t, c, "saxpy")
		p, err := c.Alloc(32)
		if err != nil {
			return err
		}
		var params, src, dst [32]byte
		for i := range params {
			params[i], src[i] = byte(i), byte(2*i)
		}
		if err := s.Launch(f, [3]uint32{1, 1, 1}, [3]uint32{1, 1, 1}, 0, params[:26]); err != nil {
			return err
		}
		if err := s.CopyToDevice(p, src[:]); err != nil {
			return err
		}
		if err := s.CopyToHost(dst[:], p); err != nil {
			return err
		}
		if dst != src {
			t.Errorf("got %v back", dst)
		}
		if len(launched) != 1 || !slices.Equal(launched[0].Params, params[:26]) {
			t.Errorf("launched %v", launched)
		}
		return nil
	})
}

// deep makes the stack grow.
func deep(n int) int {
	var frame [256]byte
	binary.LittleEndian.PutUint32(frame[n:], uint32(n))
	if n == 0 {
		return int(frame[0])
	}
	return deep(n-1) + int(frame[n])
}
