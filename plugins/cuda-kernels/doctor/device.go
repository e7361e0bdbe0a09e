package doctor

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"

	"github.com/honeml/hone/plugins/cuda-kernels/cuda"
	"github.com/honeml/hone/plugins/cuda-kernels/nvrtc"
	"github.com/honeml/hone/sdk/fault"
)

// The kernel that each GPU runs: it writes a number.
const (
	kernelName   = "answer"
	kernelSource = `extern "C" __global__ void answer(unsigned *out, unsigned number) { *out = number; }`
	kernelNumber = 0x686f6e65
)

// examineDevice lets a GPU run a kernel, as far as there is a compiler for it.
func (e *examination) examineDevice(ctx context.Context, device cuda.Device) Device {
	d := Device{Device: device, FreeMemory: -1}
	if err := e.tryDevice(ctx, &d); err != nil {
		d.Problem, d.Hint = oneLine(err), fault.HintOf(err)
	}
	return d
}

func (e *examination) tryDevice(ctx context.Context, d *Device) error {
	var code *nvrtc.Result
	var compiling error
	if e.nvrtc != nil {
		code, compiling = e.compile(ctx, d)
	}
	// A GPU that none can compile for still tells how much memory is free.
	thread, err := e.driver.NewThread(d.Device)
	if err != nil {
		return errors.Join(compiling, err)
	}
	running := thread.Do(ctx, func(c *cuda.Context) (err error) {
		if d.FreeMemory, _, err = c.MemInfo(); err != nil || code == nil {
			return err
		}
		return runKernel(c, code.Cubin)
	})
	err = errors.Join(compiling, running, thread.Close())
	d.Works = err == nil && code != nil
	return err
}

func (e *examination) compile(ctx context.Context, d *Device) (*nvrtc.Result, error) {
	arch, err := nvrtc.ArchOf(d.Major, d.Minor, e.nvrtc.Archs())
	if err != nil {
		return nil, err
	}
	d.Arch = arch
	return e.nvrtc.Compile(ctx, nvrtc.Request{Name: "doctor.cu", Source: kernelSource, Arch: arch})
}

// runKernel runs the kernel and looks at what it wrote.
func runKernel(c *cuda.Context, code []byte) error {
	module, err := c.LoadModule("doctor.cu", code)
	if err != nil {
		return err
	}
	answer, err := module.Function(kernelName)
	if err != nil {
		return err
	}
	stream, err := c.NewStream()
	if err != nil {
		return err
	}
	out, err := c.Alloc(4)
	if err != nil {
		return err
	}
	params := binary.LittleEndian.AppendUint64(nil, uint64(out))
	params = binary.LittleEndian.AppendUint32(params, kernelNumber)
	if err := stream.Launch(answer, [3]uint32{1, 1, 1}, [3]uint32{1, 1, 1}, 0, params); err != nil {
		return err
	}
	var got [4]byte
	if err := stream.CopyToHost(got[:], out); err != nil {
		return err
	}
	if err := stream.Synchronize(); err != nil {
		return err
	}
	if number := binary.LittleEndian.Uint32(got[:]); number != kernelNumber {
		return fmt.Errorf("a kernel wrote %#x instead of %#x", number, kernelNumber)
	}
	return errors.Join(c.Free(out), stream.Close(), module.Unload())
}
