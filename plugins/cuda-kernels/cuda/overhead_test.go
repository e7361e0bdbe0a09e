//go:build linux

package cuda_test

import (
	"testing"

	"github.com/ebitengine/purego"
	"github.com/honeml/hone/plugins/cuda-kernels/cuda"
	"github.com/honeml/hone/plugins/cuda-kernels/cuda/cudatest"
)

// An idle driver answers what repeats every step with success and does nothing, in
// C: what is left is what Go does.
type idle struct {
	*cudatest.Driver
	function uintptr
}

func newIdle(t testing.TB) idle {
	t.Helper()
	libc, err := purego.Dlopen("libc.so.6", purego.RTLD_NOW)
	if err != nil {
		t.Skip(err)
	}
	// It tells whether its two arguments are equal: 0 for a handle and what follows.
	function, err := purego.Dlsym(libc, "pthread_equal")
	if err != nil {
		t.Skip(err)
	}
	return idle{newFake(t), function}
}

func (i idle) Symbol(name string) (uintptr, error) {
	switch name {
	case "cuLaunchKernel", "cuGraphLaunch", "cuMemcpyHtoDAsync_v2", "cuMemcpyDtoHAsync_v2", "cuMemsetD32Async",
		"cuEventRecord", "cuStreamWaitEvent", "cuEventSynchronize", "cuEventElapsedTime", "cuGraphExecUpdate_v2", "cuMemGetInfo_v2", "cuTensorMapEncodeTiled":
		return i.function, nil
	}
	return i.Driver.Symbol(name)
}

// A step is what repeats.
type step struct {
	name string
	do   func() error
}

func steps(t testing.TB, c *cuda.Context) []step {
	t.Helper()
	f, s := function(t, c, "saxpy")
	e, err := c.NewEvent(true)
	if err != nil {
		t.Fatal(err)
	}
	start, err := c.NewEvent(true)
	if err != nil {
		t.Fatal(err)
	}
	g, err := s.Capture(func() error { return nil })
	if err != nil {
		t.Fatal(err)
	}
	x, err := g.Instantiate()
	if err != nil {
		t.Fatal(err)
	}
	buffer, params := make([]byte, 64), make([]byte, 26)
	each := [][]byte{params[:8], params[8:16], params[16:20], params[20:24], params[24:]}
	grid, block := [3]uint32{132, 1, 1}, [3]uint32{256, 1, 1}
	tensor := cuda.Tensor{Address: 0x100, Dims: [5]int64{64, 10}, Strides: [4]int64{512}, Box: [5]int{64, 8}}
	return []step{
		{"Launch", func() error { return s.Launch(f, grid, block, 0, params) }},
		{"LaunchParameters", func() error { return s.LaunchParameters(f, grid, block, 0, each...) }},
		{"TensorMap", func() error { _, err := c.TensorMap(&tensor); return err }},
		{"GraphExec.Launch", func() error { return x.Launch(s) }},
		{"GraphExec.Update", func() error { _, err := x.Update(g); return err }},
		{"CopyToDevice", func() error { return s.CopyToDevice(0x100, buffer) }},
		{"CopyToHost", func() error { return s.CopyToHost(buffer, 0x100) }},
		{"Fill32", func() error { return s.Fill32(0x100, 0, 16) }},
		{"Record", func() error { return s.Record(e) }},
		{"Wait", func() error { return s.Wait(e) }},
		{"Event.Synchronize", e.Synchronize},
		{"Since", func() error { _, err := e.Since(start); return err }},
		{"MemInfo", func() error { _, _, err := c.MemInfo(); return err }},
	}
}

func TestWhatRepeatsAllocatesNothing(t *testing.T) {
	do(t, newIdle(t), func(c *cuda.Context) error {
		for _, step := range steps(t, c) {
			allocations := testing.AllocsPerRun(100, func() {
				if err := step.do(); err != nil {
					t.Errorf("%s: %v", step.name, err)
				}
			})
			if allocations > 0 {
				t.Errorf("%s allocates %g times", step.name, allocations)
			}
		}
		return nil
	})
}

// BenchmarkOverhead is the time that Go adds to each call of the driver.
func BenchmarkOverhead(b *testing.B) {
	do(b, newIdle(b), func(c *cuda.Context) error {
		for _, step := range steps(b, c)[:6] {
			b.Run(step.name, func(b *testing.B) {
				// The thread that b.Run's goroutine is on does not matter to an idle driver.
				for b.Loop() {
					if err := step.do(); err != nil {
						b.Fatal(err)
					}
				}
			})
		}
		return nil
	})
}
