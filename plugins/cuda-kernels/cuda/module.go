package cuda

import (
	"bytes"
	"fmt"
	"unsafe"

	"github.com/honeml/hone/sdk/fault"
)

// A Module is compiled code, loaded on the device.
type Module struct {
	c      *Context
	name   string
	handle uintptr
}

// Options of the driver's compiler: CUjit_option.
const (
	optionErrorLog      = 5
	optionErrorLogBytes = 6
)

// compilerOptions are how the driver's compiler is called, and where it puts its log:
// on the heap, so that the log's address in values stays right.
type compilerOptions struct {
	names  [2]uint32
	values [2]uintptr
	log    [16 << 10]byte
}

// LoadModule loads a cubin, a fatbin, or PTX text, which the driver compiles. name
// says in messages what it is. The error is fault.Unsupported where the code is for
// another GPU or a newer driver; it holds the compiler's log.
func (c *Context) LoadModule(name string, image []byte) (*Module, error) {
	if len(image) == 0 {
		return nil, fault.New(fault.BadInput, "loading %s: it is empty", name)
	}
	// PTX must end in a zero byte; to the others one does no harm.
	image = append(bytes.Clone(image), 0)
	compiler := &compilerOptions{names: [2]uint32{optionErrorLog, optionErrorLogBytes}}
	compiler.values = [2]uintptr{uintptr(unsafe.Pointer(&compiler.log)), uintptr(len(compiler.log))}
	status := c.call(c.fn.moduleLoad, uintptr(unsafe.Pointer(&c.out.handle)), uintptr(unsafe.Pointer(&image[0])),
		uintptr(len(compiler.names)), uintptr(unsafe.Pointer(&compiler.names)), uintptr(unsafe.Pointer(&compiler.values)))
	if status != Success {
		err := c.fail(status, "cuModuleLoadDataEx", "of %s on %s", name, c.device)
		text, _, _ := bytes.Cut(compiler.log[:], []byte{0})
		if e, ok := err.(*Error); ok && e != c.lost { //nolint:errorlint // fail wraps nothing
			e.Log = string(text)
		}
		return nil, err
	}
	return &Module{c: c, name: name, handle: c.out.handle}, nil
}

// Unload takes the code off the device, once its launches have ended. A second call
// does nothing.
func (m *Module) Unload() error {
	handle := m.handle
	if handle == 0 {
		return nil
	}
	m.handle = 0
	if status := m.c.call(m.c.fn.moduleUnload, handle); status != Success {
		return m.c.fail(status, "cuModuleUnload", "of %s", m.name)
	}
	return nil
}

// Global is the address and the size in bytes of a __device__ or __constant__
// variable.
func (m *Module) Global(name string) (Pointer, int64, error) {
	c, text := m.c, terminated(name)
	status := c.call(c.fn.moduleGetGlobal, uintptr(unsafe.Pointer(&c.out.size)), uintptr(unsafe.Pointer(&c.out.total)),
		m.handle, uintptr(unsafe.Pointer(&text[0])))
	if status != Success {
		return 0, 0, c.fail(status, "cuModuleGetGlobal", "of %s in %s", name, m.name)
	}
	return Pointer(c.out.size), int64(c.out.total), nil
}

// A Function is a kernel of a module. It serves until the module is unloaded.
type Function struct {
	Name        string
	MaxThreads  int // of a block
	Registers   int // per thread
	SharedBytes int // per block, without what a launch adds
	LocalBytes  int // per thread: the stack frame, spilled registers included
	// ParameterBytes is how long the parameters are, packed as C does; -1 where the
	// driver is too old to say.
	ParameterBytes int

	c      *Context
	handle uintptr
}

// Attributes of functions: CUfunction_attribute.
const (
	functionMaxThreads    = 0
	functionSharedBytes   = 1
	functionLocalBytes    = 3
	functionRegisters     = 4
	functionDynamicShared = 8
	functionCarveOut      = 9
)

// Function finds a kernel by its name, that of the linker for a template, and loads
// it, so that no launch has to.
func (m *Module) Function(name string) (*Function, error) {
	c, text := m.c, terminated(name)
	status := c.call(c.fn.moduleGetFunction, uintptr(unsafe.Pointer(&c.out.handle)), m.handle, uintptr(unsafe.Pointer(&text[0])))
	if status != Success {
		return nil, c.fail(status, "cuModuleGetFunction", "of %s in %s", name, m.name)
	}
	f := &Function{Name: name, c: c, handle: c.out.handle}
	if c.fn.funcLoad != 0 {
		if status := c.call(c.fn.funcLoad, f.handle); status != Success {
			return nil, c.fail(status, "cuFuncLoad", "of %s in %s", name, m.name)
		}
	}
	for attribute, value := range map[uintptr]*int{
		functionMaxThreads: &f.MaxThreads, functionRegisters: &f.Registers,
		functionSharedBytes: &f.SharedBytes, functionLocalBytes: &f.LocalBytes,
	} {
		status := c.call(c.fn.funcGetAttribute, uintptr(unsafe.Pointer(&c.out.number)), attribute, f.handle)
		if status != Success {
			return nil, c.fail(status, "cuFuncGetAttribute", "%d of %s", attribute, name)
		}
		*value = int(c.out.number)
	}
	var err error
	f.ParameterBytes, err = f.parameterBytes()
	return f, err
}

// parameterBytes asks for parameter after parameter, until there are no more.
func (f *Function) parameterBytes() (int, error) {
	c := f.c
	if c.fn.funcGetParamInfo == 0 {
		return -1, nil
	}
	end := 0
	for i := range maxParameterBytes {
		status := c.call(c.fn.funcGetParamInfo, f.handle, uintptr(i),
			uintptr(unsafe.Pointer(&c.out.size)), uintptr(unsafe.Pointer(&c.out.total)))
		if status == InvalidValue {
			break
		}
		if status != Success {
			return 0, c.fail(status, "cuFuncGetParamInfo", "%d of %s", i, f.Name)
		}
		end = max(end, int(c.out.size+c.out.total))
	}
	return end, nil
}

// SetDynamicShared lets launches add up to so many bytes of shared memory to a block,
// which above 48 KiB must be asked for, and has the multiprocessors keep as much of
// their memory as shared as they can. What a block can have in all is
// Device.SharedPerBlock.
func (f *Function) SetDynamicShared(bytes int) error {
	if err := f.set(functionDynamicShared, bytes, "dynamic shared memory"); err != nil {
		return err
	}
	return f.SetCarveOut(100)
}

// SetCarveOut says how much of a multiprocessor's memory is to be shared memory, of
// what can be, in percent; the rest is L1 cache. -1 leaves it to the driver. It is a
// wish.
func (f *Function) SetCarveOut(percent int) error {
	return f.set(functionCarveOut, percent, "carve-out")
}

func (f *Function) set(attribute uintptr, value int, what string) error {
	if status := f.c.call(f.c.fn.funcSetAttribute, f.handle, attribute, uintptr(uint32(int32(value)))); status != Success {
		return f.c.fail(status, "cuFuncSetAttribute", "of %s: %s %d", f.Name, what, value)
	}
	return nil
}

// Occupancy is how many blocks of so many threads and so much dynamic shared memory
// run on one multiprocessor at once.
func (f *Function) Occupancy(threads, dynamicShared int) (blocksPerSM int, err error) {
	c := f.c
	status := c.call(c.fn.occupancy, uintptr(unsafe.Pointer(&c.out.number)), f.handle, uintptr(threads), uintptr(dynamicShared))
	if status != Success {
		return 0, c.fail(status, "cuOccupancyMaxActiveBlocksPerMultiprocessor", "of %s, %d threads, %d bytes", f.Name, threads, dynamicShared)
	}
	return int(c.out.number), nil
}

// String is the function's name and what it takes.
func (f *Function) String() string {
	return fmt.Sprintf("%s: %d registers, %d bytes shared, %d local", f.Name, f.Registers, f.SharedBytes, f.LocalBytes)
}
