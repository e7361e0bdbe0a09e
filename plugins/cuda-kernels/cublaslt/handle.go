package cublaslt

import (
	"unsafe"

	"github.com/ebitengine/purego"
	"github.com/honeml/hone/plugins/cuda-kernels/dl"
	"github.com/honeml/hone/sdk/fault"
)

// MinimumVersion is the oldest cuBLASLt that has algorithms for compute capability
// 9.0.
var MinimumVersion = dl.Version{Major: 12, Minor: 0}

// A Handle is cuBLASLt in the context that was current when it was opened. It may be
// used by several goroutines.
type Handle struct {
	fn      functions
	version dl.Version
	handle  uintptr
}

// Open resolves the library's functions and starts it in the current context. The
// error is fault.Unsupported where functions are missing, the library is older than
// MinimumVersion or there is no context.
func Open(from dl.Symbols) (*Handle, error) {
	h, err := resolve(from)
	if err != nil {
		return nil, err
	}
	if status := call(h.fn.create, uintptr(unsafe.Pointer(&h.handle))); status != success {
		return nil, &Error{Call: "cublasLtCreate", Status: status}
	}
	return h, nil
}

// resolve is a Handle that has not been started.
func resolve(from dl.Symbols) (*Handle, error) {
	h := new(Handle)
	if err := dl.Resolve(from, h.fn.all()); err != nil {
		return nil, fault.New(fault.Unsupported, "cuBLASLt: %w", err)
	}
	number, _, _ := purego.SyscallN(h.fn.version)
	h.version = dl.Version{Major: int(number) / 10000, Minor: int(number) / 100 % 100}
	if h.version.Less(MinimumVersion) {
		return nil, fault.New(fault.Unsupported, "cuBLASLt is of version %s, hone needs %s or newer", h.version, MinimumVersion).
			WithHint("%s", dl.CublasLt.Install(dl.Version{}))
	}
	return h, nil
}

// Version is the library's own version: 13.4 came with CUDA 13.2.
func (h *Handle) Version() dl.Version { return h.version }

// Close ends the use of the library. Plans must be closed before. A nil Handle may be
// closed.
func (h *Handle) Close() {
	if h == nil || h.handle == 0 {
		return
	}
	_ = call(h.fn.destroy, h.handle) // fails for a handle of nothing alone
	h.handle = 0
}
