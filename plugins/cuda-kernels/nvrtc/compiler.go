package nvrtc

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"unsafe"

	"github.com/honeml/hone/plugins/cuda-kernels/cubin"
	"github.com/honeml/hone/plugins/cuda-kernels/dl"
	"github.com/honeml/hone/sdk/fault"
)

// MinimumVersion is the oldest NVRTC that knows sm_90a.
var MinimumVersion = dl.Version{Major: 12, Minor: 0}

// A Compiler is an open NVRTC. It is safe for concurrent use.
type Compiler struct {
	fn      functions
	version dl.Version
	build   string // what tells apart builds of one version, as far as known
	archs   []string
}

// Open resolves NVRTC's functions. The error is fault.Unsupported where some are
// missing or the library is older than MinimumVersion.
func Open(from dl.Symbols) (*Compiler, error) {
	c := new(Compiler)
	if err := dl.Resolve(from, c.fn.all()); err != nil {
		return nil, fault.New(fault.Unsupported, "NVRTC: %w", err)
	}
	if l, ok := from.(*dl.Library); ok {
		c.build = l.Version
	}
	var numbers [2]int32
	if status := call(c.fn.version, uintptr(unsafe.Pointer(&numbers[0])), uintptr(unsafe.Pointer(&numbers[1]))); status != success {
		return nil, fault.New(fault.Unsupported, "NVRTC: asking for its version: %w", status)
	}
	c.version = dl.Version{Major: int(numbers[0]), Minor: int(numbers[1])}
	if c.version.Less(MinimumVersion) {
		return nil, fault.New(fault.Unsupported, "NVRTC is of version %s, hone needs %s or newer", c.version, MinimumVersion).
			WithHint("%s", dl.NVRTC.Install(dl.Version{}))
	}
	var err error
	if c.archs, err = c.readArchs(); err != nil {
		return nil, fault.New(fault.Unsupported, "NVRTC %s: asking for its architectures: %w", c.version, err)
	}
	return c, nil
}

func (c *Compiler) readArchs() ([]string, error) {
	var n int32
	if status := call(c.fn.numArchs, uintptr(unsafe.Pointer(&n))); status != success {
		return nil, status
	}
	if n < 0 || n > 1000 {
		return nil, fmt.Errorf("%d of them", n)
	}
	numbers := make([]int32, n+1)
	if status := call(c.fn.archs, uintptr(unsafe.Pointer(&numbers[0]))); status != success {
		return nil, status
	}
	var out []string
	for _, number := range numbers[:n] {
		out = append(out, fmt.Sprintf("sm_%d", number))
	}
	return out, nil
}

// Version is the version of CUDA that the library is of.
func (c *Compiler) Version() dl.Version { return c.version }

// Archs are the architectures that it compiles for, such as "sm_86", oldest first,
// without the variants that have a letter.
func (c *Compiler) Archs() []string { return slices.Clone(c.archs) }

// A Request is a source to be compiled, and how.
type Request struct {
	// Name stands for the source in messages: "norm.cu".
	Name string
	// Source is CUDA C++17. Functions are the device's unless they say otherwise.
	Source string
	// Headers are what the source may include, text by name: "hone.cuh".
	Headers map[string]string
	// Options are added to those of every compilation: "-DROWS=4".
	Options []string
	// Arch is the architecture, from ArchOf: "sm_90a".
	Arch string
}

// arguments are all options. The log of ptxas tells of registers and spills, for
// cubin.ParseLog. Divisions, roots and denormals are IEEE 754's unless the request
// asks for --use_fast_math.
func (r Request) arguments() []string {
	return append([]string{
		"--std=c++17", "--device-as-default-execution-space", "--ptxas-options=-v", "--gpu-architecture=" + r.Arch,
	}, r.Options...)
}

func sortedNames(headers map[string]string) []string { return slices.Sorted(maps.Keys(headers)) }

// A Result is what became of a Request.
type Result struct {
	Cubin   []byte         // for the driver to load
	Log     string         // warnings and ptxas' account, for cubin.ParseLog
	Kernels []cubin.Kernel // what Cubin holds, by name
}

// Kernel is the kernel of that name.
func (r *Result) Kernel(name string) (cubin.Kernel, bool) {
	return (&cubin.File{Kernels: r.Kernels}).Kernel(name)
}

// Compile compiles a source. A source that is wrong gives an [*Error] with the
// compiler's log.
//
// Once ctx is done Compile returns ctx's error; NVRTC cannot be stopped, so that the
// compilation goes on to its end, and its result is thrown away.
func (c *Compiler) Compile(ctx context.Context, r Request) (*Result, error) {
	if err := ctx.Err(); err != nil {
		return nil, fmt.Errorf("compiling %s: %w", r.Name, err)
	}
	type answer struct {
		result *Result
		err    error
	}
	done := make(chan answer, 1)
	go func() {
		result, err := c.compile(r)
		done <- answer{result, err}
	}()
	select {
	case a := <-done:
		return a.result, a.err
	case <-ctx.Done():
		return nil, fmt.Errorf("compiling %s: %w", r.Name, ctx.Err())
	}
}

func (c *Compiler) compile(r Request) (*Result, error) {
	p, err := newProgram(&c.fn, r)
	if err != nil {
		return nil, r.failed(err, "")
	}
	defer p.destroy()
	if err := p.compile(r.arguments()); err != nil {
		return nil, r.failed(err, p.compilerLog())
	}
	code, err := p.fetch(c.fn.cubinSize, c.fn.cubinCode)
	if err != nil {
		return nil, r.failed(err, p.compilerLog())
	}
	return newResult(r, code, p.compilerLog())
}

func newResult(r Request, code []byte, log string) (*Result, error) {
	file, err := cubin.Parse(code)
	if err != nil {
		return nil, fmt.Errorf("compiling %s for %s: %w", r.Name, r.Arch, err)
	}
	return &Result{Cubin: code, Log: log, Kernels: file.Kernels}, nil
}

// failed is an *Error for a Status; other errors are of what C cannot read.
func (r Request) failed(err error, log string) error {
	if status, ok := err.(Status); ok { //nolint:errorlint // library.go never wraps it
		return &Error{Name: r.Name, Arch: r.Arch, Status: status, Log: log}
	}
	return fault.New(fault.BadInput, "compiling %s for %s: %w", r.Name, r.Arch, err)
}
