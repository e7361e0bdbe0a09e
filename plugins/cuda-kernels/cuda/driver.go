package cuda

import (
	"runtime"
	"unsafe"

	"github.com/ebitengine/purego"
	"github.com/honeml/hone/plugins/cuda-kernels/dl"
	"github.com/honeml/hone/sdk/fault"
)

// MinimumVersion is the oldest driver that serves, by the version of CUDA that it is
// for: driver 525.
var MinimumVersion = dl.Version{Major: 12}

// A Driver is the driver's interface in this process. It is safe for concurrent use.
type Driver struct {
	fn      functions
	version dl.Version
}

// Open resolves the driver's functions and starts it. It creates no context and
// takes no device memory. The error is fault.Unsupported where there is no device, the
// driver is older than MinimumVersion, or the system is not Linux.
func Open(from dl.Symbols) (*Driver, error) {
	if runtime.GOOS != "linux" {
		return nil, fault.New(fault.Unsupported, "CUDA on %s is not supported", runtime.GOOS).
			WithHint("use Linux, or WSL 2 on Windows; the kernels plugin for the CPU runs everywhere")
	}
	d := new(Driver)
	if err := dl.Resolve(from, d.fn.first()); err != nil {
		return nil, fault.New(fault.Unsupported, "the CUDA driver: %w", err)
	}
	number := new(int32)
	if status := call(d.fn.driverGetVersion, uintptr(unsafe.Pointer(number))); status != Success {
		return nil, failed(status, "cuDriverGetVersion", "")
	}
	d.version = dl.VersionOf(int(*number))
	if d.version.Less(MinimumVersion) {
		return nil, fault.New(fault.Unsupported, "the CUDA driver is for CUDA %s, hone needs one for %s or newer", d.version, MinimumVersion).
			WithHint("%s", dl.Driver.Install(dl.Version{}))
	}
	if err := dl.Resolve(from, d.fn.required()); err != nil {
		return nil, fault.New(fault.Unsupported, "the CUDA driver, for CUDA %s: %w", d.version, err)
	}
	for name, fn := range d.fn.optional() {
		if address, err := from.Symbol(name); err == nil {
			*fn = address
		}
	}
	if status := call(d.fn.init, 0); status != Success {
		return nil, failed(status, "cuInit", "")
	}
	return d, nil
}

// Version is the version of CUDA that the driver is for.
func (d *Driver) Version() dl.Version { return d.version }

// call calls a function of the driver. An argument that is a pointer must be written
// uintptr(unsafe.Pointer(p)) in the call itself: then p's memory is on the heap, where
// it does not move, and stays until the call returns.
//
//go:uintptrescapes
func call(fn uintptr, args ...uintptr) Status {
	result, _, _ := purego.SyscallN(fn, args...)
	return Status(int32(result))
}

// terminated is a string that C reads: up to its first zero byte.
func terminated(s string) []byte { return append([]byte(s), 0) }
