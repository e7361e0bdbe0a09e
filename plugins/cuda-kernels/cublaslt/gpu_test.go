package cublaslt

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"testing"

	"github.com/honeml/hone/plugins/cuda-kernels/cuda"
	"github.com/honeml/hone/plugins/cuda-kernels/dl"
)

// A gpu is the first GPU, with memory that is given out and taken back as a whole.
type gpu struct {
	thread *cuda.Thread
	queue  *cuda.Stream
	c      *cuda.Context
	base   cuda.Pointer
	used   uint64
}

const gpuBytes = 1 << 30

// openGPU gives a test the first GPU and cuBLASLt on it, or skips it. With
// HONE_TEST_GPU set it fails instead, so that a machine with a GPU cannot pass by
// skipping.
func openGPU(t testing.TB) (*gpu, *Handle) {
	t.Helper()
	driver, thread, err := startGPU()
	if err != nil && os.Getenv("HONE_TEST_GPU") == "" {
		t.Skipf("no GPU: %v", err)
	}
	if err != nil {
		t.Fatal(err)
	}
	l := library(t, driver.Version())
	g := &gpu{thread: thread}
	var h *Handle
	err = thread.Do(t.Context(), func(c *cuda.Context) (err error) {
		g.c = c
		var first, second error
		g.queue, first = c.NewStream()
		g.base, second = c.Alloc(gpuBytes)
		h, err = Open(l)
		return errors.Join(err, first, second)
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		err := g.do(func() error {
			h.Close()
			return errors.Join(g.queue.Synchronize(), g.c.Free(g.base))
		})
		if err := errors.Join(err, thread.Close()); err != nil {
			t.Error(err)
		}
	})
	return g, h
}

func startGPU() (*cuda.Driver, *cuda.Thread, error) {
	l, err := dl.Host().Finder().Open(dl.Driver, dl.Version{}, nil)
	if err != nil {
		return nil, nil, err
	}
	driver, err := cuda.Open(l)
	if err != nil {
		return nil, nil, err
	}
	devices, err := driver.Devices()
	if err != nil {
		return nil, nil, err
	}
	if len(devices) == 0 {
		return nil, nil, cuda.NoDevice
	}
	thread, err := driver.NewThread(devices[0])
	return driver, thread, err
}

func (g *gpu) do(f func() error) error {
	return g.thread.Do(context.Background(), func(*cuda.Context) error { return f() })
}

func (g *gpu) stream() uintptr { return g.queue.Handle() }

func (g *gpu) upload(t testing.TB, data []byte) uint64 {
	t.Helper()
	at := g.base + cuda.Pointer(g.used)
	g.used += (uint64(len(data)) + 255) &^ 255
	if g.used > gpuBytes {
		t.Fatalf("the test's %d bytes of memory are used up", gpuBytes)
	}
	if err := g.do(func() error { return g.queue.CopyToDevice(at, data) }); err != nil {
		t.Fatal(err)
	}
	return uint64(at)
}

func (g *gpu) download(t testing.TB, address uint64, n int) []byte {
	t.Helper()
	data := make([]byte, n)
	err := g.do(func() error {
		return errors.Join(g.queue.CopyToHost(data, cuda.Pointer(address)), g.queue.Synchronize())
	})
	if err != nil {
		t.Fatal(err)
	}
	return data
}

var _ device = (*gpu)(nil)

func (g *gpu) plan(t testing.TB, h *Handle, p Product, workspaceBytes int64) *Plan {
	t.Helper()
	var plan *Plan
	err := g.do(func() (err error) {
		plan, err = h.Plan(p, workspaceBytes)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(plan.Close)
	return plan
}

// normal are random numbers; they repeat after the first 2^20.
func normal(t Type, n int) []byte {
	random := rand.New(rand.NewPCG(3, 4))
	block := make([]byte, min(n, 1<<20)*t.Bytes())
	for i := 0; i < len(block); i += t.Bytes() {
		encode(t, block[i:], random.NormFloat64())
	}
	out := make([]byte, 0, n*t.Bytes())
	for len(out) < cap(out) {
		out = append(out, block[:min(len(block), cap(out)-len(out))]...)
	}
	return out
}

func TestGPUProducts(t *testing.T) {
	g, h := openGPU(t)
	for _, tt := range productTests() {
		t.Run(tt.name, func(t *testing.T) {
			g.used = 0
			tt.run(t, h, g)
		})
	}
}

// TestGPUAlgorithms runs every algorithm of products whose inner dimension is long,
// which is where it is split: each gives its own bits every time, also after it was
// written down and taken up again.
func TestGPUAlgorithms(t *testing.T) {
	g, h := openGPU(t)
	const tokens, width, rank = 8192, 2048, 16
	products := map[string]Product{
		"LoRA's gradient":   {A: Dense(BFloat16, tokens, rank).T(), B: Dense(BFloat16, tokens, width), D: Dense(Float32, rank, width)},
		"a small square":    {A: Dense(BFloat16, 256, tokens), B: Dense(BFloat16, 256, tokens).T(), D: Dense(BFloat16, 256, 256)},
		"a float32 product": {A: Dense(Float32, 64, tokens), B: Dense(Float32, tokens, 64), D: Dense(Float32, 64, 64)},
	}
	for name, p := range products {
		t.Run(name, func(t *testing.T) {
			g.used = 0
			const workspaceBytes = 32 << 20
			plan := g.plan(t, h, p, workspaceBytes)
			a, b := g.upload(t, normal(p.A.Type, p.A.elements(1))), g.upload(t, normal(p.B.Type, p.B.elements(1)))
			d, workspace := g.upload(t, make([]byte, p.D.elements(1)*p.D.Type.Bytes())), g.upload(t, make([]byte, workspaceBytes))
			compute := func() []byte {
				t.Helper()
				if err := g.do(func() error { return plan.Run(g.stream(), 1, a, b, 0, 0, d, 0, workspace) }); err != nil {
					t.Fatal(err)
				}
				return g.download(t, d, p.D.elements(1)*p.D.Type.Bytes())
			}
			for i := range plan.Algorithms() {
				if err := plan.Choose(i); err != nil {
					t.Fatal(err)
				}
				t.Log(plan)
				first, kept := compute(), plan.Algorithm()
				for range 5 {
					if !bytes.Equal(compute(), first) {
						t.Errorf("algorithm %d gives other bits: %s", i, plan)
					}
				}
				if err := g.do(func() error { return errors.Join(plan.Choose(0), plan.Use(kept)) }); err != nil {
					t.Errorf("algorithm %d cannot be taken up again: %v", i, err)
				}
				if plan.Algorithm() != kept || !bytes.Equal(compute(), first) {
					t.Errorf("algorithm %d gives other bits when it is taken up again", i)
				}
			}
		})
	}
}

// TestGPUCapture records a product into a graph.
func TestGPUCapture(t *testing.T) {
	g, h := openGPU(t)
	p := Product{A: Dense(BFloat16, 512, 1024), B: Dense(BFloat16, 256, 1024).T(), D: Dense(BFloat16, 512, 256), Bias: true}
	const workspaceBytes = 32 << 20
	plan := g.plan(t, h, p, workspaceBytes)
	a, b := g.upload(t, normal(BFloat16, 512*1024)), g.upload(t, normal(BFloat16, 256*1024))
	bias, workspace := g.upload(t, normal(BFloat16, 256)), g.upload(t, make([]byte, workspaceBytes))
	size := 512 * 256 * 2
	d, recorded := g.upload(t, make([]byte, size)), g.upload(t, make([]byte, size))
	err := g.do(func() error {
		if err := plan.Run(g.stream(), 1, a, b, 0, 0, d, bias, workspace); err != nil {
			return err
		}
		graph, err := g.queue.Capture(func() error {
			return plan.Run(g.stream(), 1, a, b, 0, 0, recorded, bias, workspace)
		})
		if err != nil {
			return err
		}
		defer graph.Close()
		exec, err := graph.Instantiate()
		if err != nil {
			return err
		}
		defer exec.Close()
		return errors.Join(exec.Launch(g.queue), g.queue.Synchronize())
	})
	if err != nil {
		t.Fatal(err)
	}
	if want := g.download(t, d, size); !bytes.Equal(g.download(t, recorded, size), want) || bytes.Equal(want, make([]byte, size)) {
		t.Error("the graph gives other bits")
	}
}

// BenchmarkGPU measures products as a model has them, in TFLOP/s: the library's first
// choice and the fastest of its algorithms.
func BenchmarkGPU(b *testing.B) {
	const tokens, hidden, inner, rank = 8192, 4096, 14336, 16
	benchmarks := []struct {
		name string
		p    Product
	}{
		{"square 4096", Product{A: Dense(BFloat16, 4096, 4096), B: Dense(BFloat16, 4096, 4096), D: Dense(BFloat16, 4096, 4096)}},
		{"forward 8192x4096x4096", Product{A: Dense(BFloat16, tokens, hidden), B: Dense(BFloat16, hidden, hidden).T(), D: Dense(BFloat16, tokens, hidden)}},
		{"forward 8192x14336x4096", Product{A: Dense(BFloat16, tokens, hidden), B: Dense(BFloat16, inner, hidden).T(), D: Dense(BFloat16, tokens, inner)}},
		{"backward 8192x4096x14336", Product{A: Dense(BFloat16, tokens, inner), B: Dense(BFloat16, inner, hidden), D: Dense(BFloat16, tokens, hidden)}},
		{"LoRA down 8192x16x4096", Product{A: Dense(BFloat16, tokens, hidden), B: Dense(BFloat16, rank, hidden).T(), D: Dense(BFloat16, tokens, rank)}},
		{"LoRA gradient 16x4096x8192", Product{A: Dense(BFloat16, tokens, rank).T(), B: Dense(BFloat16, tokens, hidden), D: Dense(Float32, rank, hidden)}},
		{"float32 2048", Product{A: Dense(Float32, 2048, 2048), B: Dense(Float32, 2048, 2048).T(), D: Dense(Float32, 2048, 2048)}},
	}
	g, h := openGPU(b)
	for _, bb := range benchmarks {
		g.used = 0
		r := newRunner(b, g, h, bb.p)
		best, fastest := 0, 0.0
		for i := range r.plan.Algorithms() {
			if rate := r.rate(b, i, 20); rate > fastest {
				best, fastest = i, rate
			}
		}
		for _, choice := range []int{0, best} {
			b.Run(fmt.Sprintf("%s/algorithm %d", bb.name, choice), func(b *testing.B) {
				b.ReportMetric(r.rate(b, choice, max(b.N, 20)), "TFLOP/s")
			})
		}
	}
}

// A runner is a plan with memory for it.
type runner struct {
	g                  *gpu
	plan               *Plan
	a, b, d, workspace uint64
}

func newRunner(t testing.TB, g *gpu, h *Handle, p Product) *runner {
	const workspaceBytes = 32 << 20
	r := &runner{g: g, plan: g.plan(t, h, p, workspaceBytes)}
	r.a, r.b = g.upload(t, normal(p.A.Type, p.A.elements(1))), g.upload(t, normal(p.B.Type, p.B.elements(1)))
	r.d, r.workspace = g.upload(t, make([]byte, p.D.elements(1)*p.D.Type.Bytes())), g.upload(t, make([]byte, workspaceBytes))
	return r
}

func (r *runner) run() error { return r.plan.Run(r.g.stream(), 1, r.a, r.b, 0, 0, r.d, 0, r.workspace) }

// rate runs an algorithm n times, after a few to warm up, in TFLOP/s by the GPU's
// clock.
func (r *runner) rate(t testing.TB, algorithm, n int) float64 {
	t.Helper()
	var milliseconds float32
	err := r.g.do(func() error {
		if err := r.plan.Choose(algorithm); err != nil {
			return err
		}
		start, err1 := r.g.c.NewEvent(true)
		end, err2 := r.g.c.NewEvent(true)
		if err := errors.Join(err1, err2); err != nil {
			return err
		}
		defer start.Close()
		defer end.Close()
		for i := range n + 5 {
			if i == 5 {
				if err := r.g.queue.Record(start); err != nil {
					return err
				}
			}
			if err := r.run(); err != nil {
				return err
			}
		}
		if err := errors.Join(r.g.queue.Record(end), end.Synchronize()); err != nil {
			return err
		}
		var err error
		milliseconds, err = end.Since(start)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return r.plan.Product().FLOPs() * float64(n) / float64(milliseconds) / 1e9
}

// BenchmarkGPURun measures what a call costs the host, with the GPU kept behind by
// less than its queue holds.
func BenchmarkGPURun(b *testing.B) {
	g, h := openGPU(b)
	r := newRunner(b, g, h, Product{A: Dense(BFloat16, 64, 64), B: Dense(BFloat16, 64, 64), D: Dense(BFloat16, 64, 64)})
	b.ReportAllocs()
	err := g.do(func() error {
		for i := 0; b.Loop(); i++ {
			if err := r.run(); err != nil {
				return err
			}
			if i%256 == 255 {
				if err := g.queue.Synchronize(); err != nil {
					return err
				}
			}
		}
		return g.queue.Synchronize()
	})
	if err != nil {
		b.Fatal(err)
	}
}
