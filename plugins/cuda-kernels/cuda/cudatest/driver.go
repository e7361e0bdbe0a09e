package cudatest

import (
	"fmt"
	"slices"
	"sync"
	"unsafe"

	"github.com/ebitengine/purego"
	"github.com/honeml/hone/plugins/cuda-kernels/dl"
)

// MaxArgs is how many arguments of a call are noted.
const MaxArgs = 12

// A Call is one call of the driver.
type Call struct {
	Name string // with its suffix: "cuMemAlloc_v2"
	// Args are the arguments; beyond those that the function has, they are arbitrary.
	Args [MaxArgs]uintptr
}

// A Launch is one launch of a kernel.
type Launch struct {
	Kernel      string
	Grid, Block [3]uint32
	SharedBytes uint32
	Stream      uintptr
	// Params are the packed parameters; Each are the single ones, where the launch gave
	// them so.
	Params []byte
	Each   [][]byte
}

// A Kernel is a kernel of every module that is loaded.
type Kernel struct {
	// Params are the offset and the size of each parameter.
	Params [][2]uint64
	// Run does what the kernel does; may be nil.
	Run func(Launch)
}

// A GPU is a device of the driver.
type GPU struct {
	Name       string
	UUID       [16]byte
	Memory     uint64        // bytes
	Attributes map[int]int32 // by CUdevice_attribute; others are 0
	FuncValues map[int]int32 // CUfunction_attribute of each kernel; others are 0
	Occupancy  int32         // what it answers to every question
}

// A Driver is a driver of one process. One at a time can be in use.
type Driver struct {
	Version int // as CUDA writes it: 12080
	GPUs    []GPU
	Kernels map[string]Kernel
	// Missing are functions that the library does not have.
	Missing []string
	// Before, if not nil, runs at the start of each call.
	Before func(name string)

	mu      sync.Mutex
	calls   []Call
	answers map[string][]int32
	state
}

// H100 is a GPU with an H100's numbers.
func H100() GPU {
	return GPU{
		Name: "NVIDIA H100 80GB HBM3", Memory: 85_000_000_000,
		UUID: [16]byte{0x01, 0x23, 0x45, 0x67, 0x89, 0xab, 0xcd, 0xef, 0x01, 0x23, 0x45, 0x67, 0x89, 0xab, 0xcd, 0xef},
		Attributes: map[int]int32{
			8: 48 << 10, 13: 1_980_000, 16: 132, 20: 0, 32: 1, 36: 2_619_000, 37: 5120, 38: 50 << 20, 39: 2048,
			75: 9, 76: 0, 81: 228 << 10, 82: 65536, 97: 227 << 10,
		},
		FuncValues: map[int]int32{0: 1024, 1: 128, 3: 16, 4: 40},
		Occupancy:  2,
	}
}

// New is a driver for CUDA 12.8 with GPUs. It takes the place of the one before.
func New(gpus ...GPU) *Driver {
	d := &Driver{Version: 12080, GPUs: gpus, Kernels: map[string]Kernel{}, answers: map[string][]int32{}, state: newState()}
	library.mu.Lock()
	defer library.mu.Unlock()
	library.current = d
	return d
}

// Answer lets the next calls of the function answer these statuses, and do nothing
// where one is not 0.
func (d *Driver) Answer(name string, statuses ...int32) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.answers[name] = append(d.answers[name], statuses...)
}

// Calls are the calls since the last Calls.
func (d *Driver) Calls() []Call {
	d.mu.Lock()
	defer d.mu.Unlock()
	calls := d.calls
	d.calls = nil
	return calls
}

// Symbol is the address of a function of the driver, as [dl.Library]'s.
func (d *Driver) Symbol(name string) (uintptr, error) {
	library.mu.Lock()
	defer library.mu.Unlock()
	if _, ok := functions[name]; !ok || slices.Contains(d.Missing, name) {
		return 0, fmt.Errorf("cudatest: no function %s", name)
	}
	address, ok := library.addresses[name]
	if !ok {
		// It cannot be freed: one for all Drivers.
		address = purego.NewCallback(func(a, b, c, d, e, f, g, h, i, j, k, l uintptr) uintptr {
			return answer(Call{Name: name, Args: [MaxArgs]uintptr{a, b, c, d, e, f, g, h, i, j, k, l}})
		})
		library.addresses[name] = address
	}
	return address, nil
}

var _ dl.Symbols = (*Driver)(nil)

// library is what C can have one of alone: the functions, and the driver that they
// call.
var library = struct {
	mu        sync.Mutex
	current   *Driver
	addresses map[string]uintptr
}{addresses: map[string]uintptr{}}

func answer(call Call) uintptr {
	library.mu.Lock()
	d := library.current
	library.mu.Unlock()
	if d.Before != nil {
		d.Before(call.Name)
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	d.calls = append(d.calls, call)
	if statuses := d.answers[call.Name]; len(statuses) > 0 {
		d.answers[call.Name] = statuses[1:]
		if statuses[0] != 0 {
			return uintptr(uint32(statuses[0]))
		}
	}
	return uintptr(uint32(functions[call.Name](d, call.Args)))
}

// at is what C's address points to. The cast goes by the address' own memory, as Go
// does not know where C's memory is.
func at[T any](address uintptr) *T { return *(**T)(unsafe.Pointer(&address)) }

// Memory is so many bytes of the device at an address that a kernel was given.
func Memory(address uint64, n int) []byte { return memory(uintptr(address), uintptr(n)) }

// memory is so many bytes at an address.
func memory(address, n uintptr) []byte { return unsafe.Slice(at[byte](address), n) }

// addressOf is where b lies.
func addressOf(b []byte) uintptr { return uintptr(unsafe.Pointer(unsafe.SliceData(b))) }

// text is C's string at an address.
func text(address uintptr) string {
	n := uintptr(0)
	for *at[byte](address + n) != 0 {
		n++
	}
	return string(memory(address, n))
}
