package device

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/honeml/hone/plugins/cuda-kernels/cuda"
	"github.com/honeml/hone/plugins/cuda-kernels/dl"
	"github.com/honeml/hone/plugins/cuda-kernels/nvml"
	"github.com/honeml/hone/plugins/cuda-kernels/nvrtc"
	"github.com/honeml/hone/sdk/fault"
)

// Options say which GPU is opened, and with what.
type Options struct {
	Name     string   // index among those that this process sees, or UUID; "": the first
	Folders  []string // to look for NVIDIA's libraries in, before all others
	CacheDir string   // for compiled kernels; "": the user's cache folder
	Spin     bool     // waiting takes a core, and less time
}

// A GPU is an open device with the compiler for it. Calls
// that touch the device are made within [GPU.Do].
type GPU struct {
	Info cuda.Device
	// ContextBytes is what the driver took of the device's memory when it was opened, for
	// this process.
	ContextBytes int64
	Driver       dl.Version

	freeAtOpen int64
	finder     *dl.Finder
	thread     *cuda.Thread
	context    *cuda.Context // of the thread, within Do
	compiler   *nvrtc.Compiler
	arch       string
	cache      *nvrtc.Cache
}

// Open opens a GPU. The error is fault.Unsupported where there is none, or a library
// is missing, and says what to do.
func Open(o Options) (*GPU, error) {
	system := dl.Host()
	system.Extra = o.Folders
	finder := system.Finder()
	library, err := finder.Open(dl.Driver, dl.Version{}, nil)
	if err != nil {
		return nil, err
	}
	driver, err := cuda.Open(library)
	if err != nil {
		return nil, err
	}
	devices, err := driver.Devices()
	if err != nil {
		return nil, err
	}
	info, err := pick(devices, o.Name)
	if err != nil {
		return nil, err
	}
	g := &GPU{Info: info, Driver: driver.Version(), cache: nvrtc.OpenCache(o.CacheDir), finder: finder}
	if err := g.openCompiler(); err != nil {
		return nil, err
	}
	var options []cuda.ThreadOption
	if o.Spin {
		options = append(options, cuda.Spin())
	}
	management := g.management()
	before := used(management, g.Info)
	if g.thread, err = driver.NewThread(g.Info, options...); err != nil {
		return nil, err
	}
	if err := g.Do(func() error { return g.measureContext(before, used(management, g.Info)) }); err != nil {
		return nil, errors.Join(err, g.Close())
	}
	return g, nil
}

// management is the driver's management library, nil where it is not there.
func (g *GPU) management() *nvml.Library {
	library, err := g.finder.Open(dl.Management, dl.Version{}, nil)
	if err != nil {
		return nil
	}
	management, err := nvml.Open(library)
	if err != nil {
		return nil
	}
	return management
}

// used is how much of a device's memory is taken, by whomever; −1 where that is not known.
// It needs no context.
func used(management *nvml.Library, d cuda.Device) int64 {
	if management == nil {
		return -1
	}
	bytes, err := management.Used(d.UUID)
	if err != nil {
		return -1
	}
	return bytes
}

// pick finds a device by its index or UUID.
func pick(devices []cuda.Device, name string) (cuda.Device, error) {
	var seen []string
	for i, d := range devices {
		if name == "" || name == strconv.Itoa(i) || strings.EqualFold(name, d.UUID) {
			return d, nil
		}
		seen = append(seen, fmt.Sprintf("%d (%s, %s)", i, d.Name, d.UUID))
	}
	return cuda.Device{}, fault.New(fault.Unsupported, "there is no GPU %q; this process sees %s", name, strings.Join(seen, ", "))
}

func (g *GPU) openCompiler() error {
	library, err := g.Library(dl.NVRTC)
	if err != nil {
		return err
	}
	if g.compiler, err = nvrtc.Open(library); err != nil {
		return err
	}
	g.arch, err = nvrtc.ArchOf(g.Info.Major, g.Info.Minor, g.compiler.Archs())
	return err
}

func (g *GPU) measureContext(before, after int64) error {
	free, total, err := g.context.MemInfo()
	g.ContextBytes, g.freeAtOpen = contextBytes(before, after, total-free), free
	return err
}

const (
	// UsualContext is about what the driver takes of a GPU's memory for a process.
	UsualContext = 550 << 20
	// leastContext is less than it ever takes: less was taken where another thread of the
	// process has the same context.
	leastContext = 64 << 20
)

// contextBytes is what the driver took of memory for the context, from what was taken
// before and after, −1 where that is not known, and what is taken in all: where that is
// much more than a context, other processes have memory too.
func contextBytes(before, after, all int64) int64 {
	if took := after - before; before >= 0 && after >= 0 && took >= leastContext && took <= all {
		return took
	}
	if all > 2*UsualContext {
		return UsualContext
	}
	return all
}

// Library opens a library of NVIDIA's that fits the driver.
func (g *GPU) Library(spec dl.Spec) (*dl.Library, error) { return g.finder.Open(spec, g.Driver, nil) }

// Arch is the architecture that kernels are compiled for: "sm_90a".
func (g *GPU) Arch() string { return g.arch }

// Do runs f where calls may touch the device. One that has not ended after
// [cuda.Patience] is lost, with the device.
func (g *GPU) Do(f func() error) error { return g.DoFor(cuda.Patience, f) }

// DoFor is Do for what may take so long.
func (g *GPU) DoFor(patience time.Duration, f func() error) error {
	return g.thread.DoAlways(patience, func(c *cuda.Context) error {
		g.context = c
		return f()
	})
}

// Close gives all memory back.
func (g *GPU) Close() error { return g.thread.Close() }

// Alloc is memory of the device, aligned to 256 bytes. Within Do.
func (g *GPU) Alloc(bytes int64) (Pointer, error) {
	p, err := g.context.Alloc(bytes)
	return Pointer(p), err
}

// Free gives memory of Alloc back. Within Do.
func (g *GPU) Free(p Pointer) error { return g.context.Free(cuda.Pointer(p)) }

// AllocHost is pinned memory of the host. Within Do.
func (g *GPU) AllocHost(bytes int64) (*cuda.HostMemory, error) { return g.context.AllocHost(bytes) }

// FreeMemory is what the device has free. Within Do.
func (g *GPU) FreeMemory() (int64, error) {
	free, _, err := g.context.MemInfo()
	return free, err
}

// TakenMemory is how far the device's free memory fell since the GPU was opened, and what
// the driver took then. What other processes do shows in it. Within Do.
func (g *GPU) TakenMemory() (int64, error) {
	free, err := g.FreeMemory()
	return g.freeAtOpen - free + g.ContextBytes, err
}

// Compile compiles the sources of a set, several at once, or takes them from the
// cache. It touches no device, and may run beside what does.
func (g *GPU) Compile(ctx context.Context, set *Set) error {
	return set.compile(ctx, g.arch, runtime.GOMAXPROCS(0), func(ctx context.Context, r nvrtc.Request) (*nvrtc.Result, error) {
		return g.cache.Compile(ctx, g.compiler, r)
	})
}

// compile compiles the set's sources, so many at once.
func (s *Set) compile(ctx context.Context, arch string, atOnce int, compile func(context.Context, nvrtc.Request) (*nvrtc.Result, error)) error {
	errs := make([]error, len(s.order))
	limit := make(chan struct{}, atOnce)
	var group sync.WaitGroup
	for i, u := range s.order {
		if u.compiled != nil {
			continue
		}
		if only := u.source.Arch; only != "" && only != arch {
			errs[i] = fmt.Errorf("%s is for %s, not for %s", u.source.Describe(), only, arch)
			continue
		}
		limit <- struct{}{}
		group.Go(func() {
			defer func() { <-limit }()
			u.compiled, errs[i] = compile(ctx, u.source.Request(arch))
		})
	}
	group.Wait()
	return errors.Join(errs...)
}

// Request is the source as the compiler takes it, for an architecture of
// [nvrtc.ArchOf].
func (s Source) Request(arch string) nvrtc.Request {
	options := make([]string, len(s.Defines))
	for i, d := range s.Defines {
		options[i] = "-D" + d
	}
	return nvrtc.Request{Name: s.Name, Source: s.Text, Headers: map[string]string{HeaderName: Header}, Options: options, Arch: arch}
}

// Load loads what Compile compiled onto the device, so that kernels can be launched.
// Within Do.
func (g *GPU) Load(set *Set) error {
	for _, u := range set.order {
		if u.loaded {
			continue
		}
		if u.compiled == nil {
			return fmt.Errorf("%s was not compiled", u.source.Describe())
		}
		module, err := g.context.LoadModule(u.source.Name, u.compiled.Cubin)
		if err != nil {
			return err
		}
		for _, k := range u.kernels {
			if err := g.loadKernel(module, u, k); err != nil {
				return err
			}
		}
		u.loaded = true
	}
	return nil
}

func (g *GPU) loadKernel(module *cuda.Module, u *unit, k *Kernel) error {
	found, ok := u.compiled.Kernel(k.Name)
	if !ok {
		return fmt.Errorf("%s has no kernel %s", u.source.Describe(), k.Name)
	}
	function, err := module.Function(k.Name)
	if err != nil {
		return err
	}
	k.function, k.parameters, k.mapped = function, found.Parameters, mapped(found.Parameters)
	return nil
}

// NewQueue is a queue of work on a stream of its own. Within Do.
func (g *GPU) NewQueue() (*Queue, error) {
	s, err := g.context.NewStream()
	if err != nil {
		return nil, err
	}
	return &Queue{gpu: g, stream: s}, nil
}
