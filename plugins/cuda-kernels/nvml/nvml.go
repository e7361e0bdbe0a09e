// Package nvml asks the management library that comes with NVIDIA's driver how much of a
// GPU's memory is taken, which it answers without a context: so that what a context takes
// can be told from what other processes do.
package nvml

import (
	"fmt"
	"unsafe"

	"github.com/ebitengine/purego"
	"github.com/honeml/hone/plugins/cuda-kernels/dl"
)

// A Library is the open library.
type Library struct {
	init, byUUID, memoryInfo uintptr
}

// Open finds the functions and starts the library.
func Open(from dl.Symbols) (*Library, error) {
	l := &Library{}
	if err := dl.Resolve(from, map[string]*uintptr{
		"nvmlInit_v2": &l.init, "nvmlDeviceGetHandleByUUID": &l.byUUID, "nvmlDeviceGetMemoryInfo": &l.memoryInfo,
	}); err != nil {
		return nil, err
	}
	return l, call("nvmlInit_v2", l.init)
}

// memory is nvmlMemory_t, in bytes.
type memory struct{ total, free, used uint64 }

// Used is the bytes of a GPU's memory that are taken, by whomever. A GPU's UUID is as
// the driver writes it: "GPU-…".
func (l *Library) Used(uuid string) (int64, error) {
	name := append([]byte(uuid), 0)
	device, info := new(uintptr), new(memory)
	if err := call("nvmlDeviceGetHandleByUUID", l.byUUID, uintptr(unsafe.Pointer(&name[0])), uintptr(unsafe.Pointer(device))); err != nil {
		return 0, err
	}
	err := call("nvmlDeviceGetMemoryInfo", l.memoryInfo, *device, uintptr(unsafe.Pointer(info)))
	return int64(info.used), err
}

// call calls a function. Pointers among the arguments are made in the call's expression,
// so that what they point to stays.
//
//go:uintptrescapes
func call(name string, function uintptr, args ...uintptr) error {
	result, _, _ := purego.SyscallN(function, args...)
	if status := int32(result); status != 0 {
		return fmt.Errorf("%s answers with status %d", name, status)
	}
	return nil
}
