//go:build linux

package cuda_test

import (
	"bytes"
	"context"
	_ "embed"
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/honeml/hone/plugins/cuda-kernels/cuda"
	"github.com/honeml/hone/plugins/cuda-kernels/dl"
	"github.com/honeml/hone/sdk/fault"
)

//go:embed testdata/kernels.ptx
var kernels []byte

// strayVariable is set in the process that a kernel shall spoil.
const strayVariable = "HONE_TEST_STRAY"

// openGPU opens this machine's driver, or skips the test.
func openGPU(t testing.TB) *cuda.Driver {
	t.Helper()
	library, err := dl.Host().Finder().Open(dl.Driver, dl.Version{}, nil)
	if err != nil {
		t.Skip(err)
	}
	driver, err := cuda.Open(library)
	if err != nil {
		t.Skip(err)
	}
	return driver
}

// A gpu is what a test on a GPU works with.
type gpu struct {
	*cuda.Context
	t      testing.TB
	module *cuda.Module
	stream *cuda.Stream
}

func (g *gpu) function(name string) *cuda.Function {
	g.t.Helper()
	f, err := g.module.Function(name)
	g.must(err)
	return f
}

func (g *gpu) must(err error) {
	g.t.Helper()
	if err != nil {
		g.t.Fatal(err)
	}
}

func (g *gpu) alloc(n int64) cuda.Pointer {
	g.t.Helper()
	p, err := g.Alloc(n)
	g.must(err)
	return p
}

func (g *gpu) host(n int64) []byte {
	g.t.Helper()
	h, err := g.AllocHost(n)
	g.must(err)
	return h.Bytes()
}

func (g *gpu) event() *cuda.Event {
	g.t.Helper()
	e, err := g.NewEvent(true)
	g.must(err)
	return e
}

// onGPU runs f on the first GPU, with the kernels of the tests.
func onGPU(t testing.TB, driver *cuda.Driver, f func(g *gpu), options ...cuda.ThreadOption) {
	t.Helper()
	devices, err := driver.Devices()
	if err != nil {
		t.Fatal(err)
	}
	thread, err := driver.NewThread(devices[0], options...)
	if err != nil {
		t.Fatal(err)
	}
	err = thread.Do(context.Background(), func(c *cuda.Context) error {
		module, err := c.LoadModule("kernels.ptx", kernels)
		if err != nil {
			return err
		}
		stream, err := c.NewStream()
		if err != nil {
			return err
		}
		f(&gpu{Context: c, t: t, module: module, stream: stream})
		return nil
	})
	if closing := thread.Close(); err != nil || closing != nil {
		t.Fatal(err, closing)
	}
}

func one(n uint32) [3]uint32 { return [3]uint32{n, 1, 1} }

func words(values ...uint64) []byte {
	var out []byte
	for _, v := range values {
		out = binary.LittleEndian.AppendUint64(out, v)
	}
	return out
}

func saxpyParams(y, x cuda.Pointer, a float32, n uint32) []byte {
	out := words(uint64(y), uint64(x))
	out = binary.LittleEndian.AppendUint32(out, math.Float32bits(a))
	return binary.LittleEndian.AppendUint32(out, n)
}

func putFloats(b []byte, f func(i int) float32) {
	for i := range len(b) / 4 {
		binary.LittleEndian.PutUint32(b[4*i:], math.Float32bits(f(i)))
	}
}

func floatAt(b []byte, i int) float32 {
	return math.Float32frombits(binary.LittleEndian.Uint32(b[4*i:]))
}

// TestGPU needs a GPU: go test -run TestGPU -v prints what it measures too.
func TestGPU(t *testing.T) {
	driver := openGPU(t)
	if os.Getenv(strayVariable) != "" {
		t.Skip("this is the process of another test")
	}
	devices, err := driver.Devices()
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("a driver for CUDA %s, %+v", driver.Version(), devices)
	for _, tt := range []struct {
		name string
		test func(g *gpu)
	}{
		{"Saxpy", testSaxpy},
		{"Cubin", testCubin},
		{"TensorMapParameter", testTensorMapParameter},
		{"Fill", testFill},
		{"Graph", testGraph},
		{"Streams", testStreams},
		{"OutOfMemory", testOutOfMemory},
		{"DynamicShared", testDynamicShared},
		{"WrongLaunch", testWrongLaunch},
		{"BrokenPTX", testBrokenPTX},
		{"WaitingSleeps", testWaitingSleeps},
		{"Bandwidth", testBandwidth},
	} {
		t.Run(tt.name, func(t *testing.T) {
			onGPU(t, driver, func(g *gpu) { tt.test(g) })
		})
	}
	t.Run("Latency", func(t *testing.T) {
		onGPU(t, driver, func(g *gpu) { t.Logf("sleeping: %s", latency(g)) })
		onGPU(t, driver, func(g *gpu) { t.Logf("spinning: %s", latency(g)) }, cuda.Spin())
	})
	t.Run("IllegalAddress", testIllegalAddress)
}

// checkSaxpy runs y += 2x with the memory of the host that it is given.
func checkSaxpy(g *gpu, x, y []byte) {
	g.t.Helper()
	n := len(x) / 4
	putFloats(x, func(i int) float32 { return float32(i) })
	putFloats(y, func(int) float32 { return 0.5 })
	dx, dy := g.alloc(int64(len(x))), g.alloc(int64(len(y)))
	f := g.function("saxpy")
	if f.ParameterBytes != 24 && f.ParameterBytes != -1 {
		g.t.Errorf("the parameters take %d bytes", f.ParameterBytes)
	}
	g.must(g.stream.CopyToDevice(dx, x))
	g.must(g.stream.CopyToDevice(dy, y))
	g.must(g.stream.Launch(f, one(uint32(n+255)/256), one(256), 0, saxpyParams(dy, dx, 2, uint32(n))))
	g.must(g.stream.CopyToHost(y, dy))
	g.must(g.stream.Synchronize())
	for i := range n {
		if got, want := floatAt(y, i), 2*float32(i)+0.5; got != want {
			g.t.Fatalf("y[%d] = %g, want %g", i, got, want)
		}
	}
}

func testSaxpy(g *gpu) {
	const bytes = 4 * 1_000_003
	checkSaxpy(g, make([]byte, bytes), make([]byte, bytes))
	checkSaxpy(g, g.host(bytes), g.host(bytes))
}

// testCubin launches saxpy of package cubin's kernels, which adds an offset too.
func testCubin(g *gpu) {
	module := loadCubin(g)
	f, err := module.Function("saxpy")
	g.must(err)
	g.t.Log(f)
	const n = 1000
	x, y := make([]byte, 4*n), make([]byte, 4*n)
	putFloats(x, func(i int) float32 { return float32(i) })
	dx, dy := g.alloc(4*n), g.alloc(4*n)
	g.must(g.stream.CopyToDevice(dx, x))
	g.must(g.stream.Fill32(dy, math.Float32bits(3), n))
	params := append(saxpyParams(dy, dx, 4, n), 7, 0)
	g.must(g.stream.Launch(f, one(8), one(128), 0, params))
	g.must(g.stream.CopyToHost(y, dy))
	for i := range n {
		if got, want := floatAt(y, i), 4*float32(i)+3+7; got != want {
			g.t.Fatalf("y[%d] = %g, want %g", i, got, want)
		}
	}
	g.must(module.Unload())
}

func loadCubin(g *gpu) *cuda.Module {
	g.t.Helper()
	name := "cuda13.2.sm_80.cubin"
	if d := g.Device(); d.Major == 9 && d.Minor == 0 {
		name = "cuda12.8.sm_90a.cubin"
	}
	image, err := os.ReadFile(filepath.Join("..", "cubin", "testdata", name))
	if err != nil {
		g.t.Skip(err)
	}
	module, err := g.LoadModule(name, image)
	if errors.Is(err, fault.Unsupported) {
		g.t.Skip(err)
	}
	g.must(err)
	return module
}

// testTensorMapParameter passes a parameter that is aligned to 64 bytes, as a tensor
// map is: y[i] = y[1] + words[1].
func testTensorMapParameter(g *gpu) {
	f, err := loadCubin(g).Function("tile")
	g.must(err)
	g.t.Logf("%s; its parameters take %d bytes", f, f.ParameterBytes)
	y := make([]byte, 4*256)
	putFloats(y, func(i int) float32 { return float32(i + 10) })
	dy := g.alloc(int64(len(y)))
	g.must(g.stream.CopyToDevice(dy, y))
	tensorMap := make([]byte, 128)
	binary.LittleEndian.PutUint64(tensorMap[8:], 100)
	g.must(g.stream.LaunchParameters(f, one(1), one(64), 0, words(uint64(dy)), tensorMap, []byte{1, 0, 0, 0}))
	g.must(g.stream.CopyToHost(y, dy))
	for i := range 64 {
		if got := floatAt(y, i); got != 111 {
			g.t.Fatalf("y[%d] = %g, want 111", i, got)
		}
	}
}

func testFill(g *gpu) {
	p := g.alloc(16)
	g.must(g.stream.Fill8(p, 0xab, 16))
	g.must(g.stream.Fill32(p+4, 0x01020304, 2))
	g.must(g.stream.Copy(p+12, p+4, 4))
	got := make([]byte, 16)
	g.must(g.stream.CopyToHost(got, p))
	want := []byte{0xab, 0xab, 0xab, 0xab, 4, 3, 2, 1, 4, 3, 2, 1, 4, 3, 2, 1}
	if !bytes.Equal(got, want) {
		g.t.Errorf("got %x, want %x", got, want)
	}
	free, total, err := g.MemInfo()
	if err != nil || free <= 0 || free >= total || total > g.Device().TotalMemory {
		g.t.Errorf("%d of %d bytes are free, %v", free, total, err)
	}
}

// testGraph records y += a x with a copy of x before it and one of y behind it.
func testGraph(g *gpu) {
	const n = 1000
	x, y := g.host(4*n), g.host(4*n)
	dx, dy := g.alloc(4*n), g.alloc(4*n)
	f := g.function("saxpy")
	record := func(a float32, times int) *cuda.Graph {
		graph, err := g.stream.Capture(func() error {
			if err := g.stream.CopyToDevice(dx, x); err != nil {
				return err
			}
			for range times {
				if err := g.stream.Launch(f, one(4), one(256), 0, saxpyParams(dy, dx, a, n)); err != nil {
					return err
				}
			}
			return g.stream.CopyToHost(y, dy)
		})
		g.must(err)
		return graph
	}
	check := func(want float32) {
		g.t.Helper()
		g.must(g.stream.Synchronize())
		if got := floatAt(y, n-1); got != want {
			g.t.Errorf("y is %g, want %g", got, want)
		}
	}
	g.must(g.stream.Fill8(dy, 0, 4*n))
	graph := record(2, 3)
	x2, err := graph.Instantiate()
	g.must(err)
	g.must(graph.Close())
	g.must(x2.Upload(g.stream))
	putFloats(x, func(int) float32 { return 1 })
	g.must(x2.Launch(g.stream))
	check(6)
	putFloats(x, func(int) float32 { return 10 })
	g.must(x2.Launch(g.stream))
	check(66)
	if ok, err := x2.Update(record(1, 3)); !ok || err != nil {
		g.t.Errorf("an update: %v, %v", ok, err)
	}
	g.must(x2.Launch(g.stream))
	check(96)
	if ok, err := x2.Update(record(1, 4)); ok || err != nil {
		g.t.Errorf("an update with another graph: %v, %v", ok, err)
	}
	g.must(x2.Launch(g.stream))
	check(126)
	g.must(x2.Close())
}

// testStreams lets one stream wait for another, which is slow.
func testStreams(g *gpu) {
	other, err := g.NewStream()
	g.must(err)
	p := g.alloc(4)
	g.must(g.stream.Fill32(p, 1, 1))
	g.must(g.stream.Synchronize())
	before, after := g.event(), g.event()
	g.must(g.stream.Record(before))
	g.must(g.stream.Launch(g.function("hold"), one(1), one(1), 0, words(50_000_000)))
	g.must(g.stream.Fill32(p, 2, 1))
	g.must(g.stream.Record(after))
	if done, err := after.Done(); done || err != nil {
		g.t.Errorf("at once, the event is done: %v, %v", done, err)
	}
	g.must(other.Wait(after))
	var got [4]byte
	g.must(other.CopyToHost(got[:], p))
	if got[0] != 2 {
		g.t.Errorf("the other stream did not wait: %v", got)
	}
	g.must(after.Synchronize())
	if done, err := after.Done(); !done || err != nil {
		g.t.Errorf("at last, the event is done: %v, %v", done, err)
	}
	ms, err := after.Since(before)
	if err != nil || ms < 49 || ms > 500 {
		g.t.Errorf("50 ms took %g, %v", ms, err)
	}
	g.must(errors.Join(other.Close(), before.Close(), after.Close()))
}

func testOutOfMemory(g *gpu) {
	_, err := g.Alloc(2 * g.Device().TotalMemory)
	if !errors.Is(err, fault.OutOfMemory) || !strings.Contains(err.Error(), "bytes are free") {
		g.t.Errorf("got %v", err)
	}
	g.t.Log(err)
	g.must(g.Free(g.alloc(1 << 20)))
}

func testDynamicShared(g *gpu) {
	f := g.function("last")
	p := g.alloc(4)
	shared := g.Device().SharedPerBlock
	params := binary.LittleEndian.AppendUint32(words(uint64(p)), uint32(shared))
	if err := g.stream.Launch(f, one(1), one(1), uint32(shared), params); !errors.Is(err, cuda.InvalidValue) {
		g.t.Errorf("without asking: %v", err)
	}
	g.must(f.SetDynamicShared(shared))
	g.must(g.stream.Launch(f, one(1), one(1), uint32(shared), params))
	var got [4]byte
	g.must(g.stream.CopyToHost(got[:], p))
	if binary.LittleEndian.Uint32(got[:]) != uint32(shared) {
		g.t.Errorf("got %v", got)
	}
	blocks, err := f.Occupancy(256, shared)
	if err != nil || blocks != 1 {
		g.t.Errorf("%d blocks, %v", blocks, err)
	}
	if err := f.SetDynamicShared(shared + 1); err == nil {
		g.t.Error("a block can have more than the device says")
	}
}

func testWrongLaunch(g *gpu) {
	err := g.stream.Launch(g.function("nothing"), one(1), one(2048), 0, nil)
	if !errors.Is(err, cuda.InvalidValue) || !strings.Contains(err.Error(), "of nothing") {
		g.t.Errorf("got %v", err)
	}
	if _, err := g.module.Function("nothin"); !errors.Is(err, cuda.NotFound) {
		g.t.Errorf("got %v", err)
	}
	g.must(g.stream.Launch(g.function("nothing"), one(1), one(1024), 0, nil))
	g.must(g.Synchronize())
}

func testBrokenPTX(g *gpu) {
	text := bytes.Replace(kernels, []byte("fma.rn.f32"), []byte("fma.xy.f32"), 1)
	_, err := g.LoadModule("broken.ptx", text)
	if !errors.Is(err, fault.Unsupported) || !strings.Contains(err.Error(), "line 28") {
		g.t.Errorf("got %v", err)
	}
	g.t.Log(err)
}

func cpuTime(t testing.TB) time.Duration {
	t.Helper()
	var usage syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &usage); err != nil {
		t.Fatal(err)
	}
	return time.Duration(usage.Utime.Nano() + usage.Stime.Nano())
}

// testWaitingSleeps sees what a wait of 300 ms takes of the processor.
func testWaitingSleeps(g *gpu) {
	e := g.event()
	for name, wait := range map[string]func() error{"stream": g.stream.Synchronize, "event": e.Synchronize, "context": g.Synchronize} {
		g.must(g.stream.Launch(g.function("hold"), one(1), one(1), 0, words(300_000_000)))
		g.must(g.stream.Record(e))
		start, used := time.Now(), cpuTime(g.t)
		g.must(wait())
		took, used := time.Since(start), cpuTime(g.t)-used
		g.t.Logf("waiting for the %s took %v, %v of the processor", name, took, used)
		if took < 250*time.Millisecond || used > 100*time.Millisecond {
			g.t.Errorf("waiting for the %s took %v, %v of the processor", name, took, used)
		}
	}
}

// latency is how long a launch and a wait for it take, at best and at the median of
// many.
func latency(g *gpu) string {
	f, e := g.function("nothing"), g.event()
	var best, sum time.Duration
	const times = 300
	for range times {
		start := time.Now()
		g.must(g.stream.Launch(f, one(1), one(1), 0, nil))
		g.must(g.stream.Record(e))
		g.must(e.Synchronize())
		took := time.Since(start)
		if best == 0 || took < best {
			best = took
		}
		sum += took
	}
	return fmt.Sprintf("a launch and a wait for it take %v at best, %v in the mean", best, sum/times)
}

func testBandwidth(g *gpu) {
	const n = 256 << 20
	p, q := g.alloc(n), g.alloc(n)
	pinned, pageable := g.host(n), make([]byte, n)
	clear(pinned)
	for _, tt := range []struct {
		name string
		copy func() error
	}{
		{"pinned to device", func() error { return g.stream.CopyToDevice(p, pinned) }},
		{"device to pinned", func() error { return g.stream.CopyToHost(pinned, p) }},
		{"pageable to device", func() error { return g.stream.CopyToDevice(p, pageable) }},
		{"device to pageable", func() error { return g.stream.CopyToHost(pageable, p) }},
		{"within the device", func() error { return g.stream.Copy(q, p, n) }},
	} {
		const times = 4
		g.must(tt.copy())
		g.must(g.stream.Synchronize())
		before, after := g.event(), g.event()
		g.must(g.stream.Record(before))
		for range times {
			g.must(tt.copy())
		}
		g.must(g.stream.Record(after))
		g.must(after.Synchronize())
		ms, err := after.Since(before)
		g.must(err)
		g.t.Logf("%s: %.1f GB/s", tt.name, times*n/float64(ms)/1e6)
	}
}

// testIllegalAddress has another process do it: a context that it was done in is
// lost.
func testIllegalAddress(t *testing.T) {
	command := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^TestStray$", "-test.v")
	command.Env = append(os.Environ(), strayVariable+"=1")
	out, err := command.CombinedOutput()
	t.Logf("%s", out)
	if err != nil || !bytes.Contains(out, []byte("PASS: TestStray")) {
		t.Errorf("got %v", err)
	}
}

// TestStray spoils this process' context.
func TestStray(t *testing.T) {
	if os.Getenv(strayVariable) == "" {
		return // TestGPU starts it
	}
	driver := openGPU(t)
	devices, err := driver.Devices()
	if err != nil {
		t.Fatal(err)
	}
	thread, err := driver.NewThread(devices[0])
	if err != nil {
		t.Fatal(err)
	}
	err = thread.Do(context.Background(), func(c *cuda.Context) error {
		module, err := c.LoadModule("kernels.ptx", kernels)
		if err != nil {
			return err
		}
		nothing, err := module.Function("nothing")
		if err != nil {
			return err
		}
		stray, err := module.Function("stray")
		if err != nil {
			return err
		}
		s, err := c.NewStream()
		if err != nil {
			return err
		}
		if err := s.Launch(nothing, one(1), one(1), 0, nil); err != nil {
			return err
		}
		if err := s.Launch(stray, one(1), one(1), 0, words(0x1000)); err != nil {
			return err
		}
		return s.Synchronize()
	})
	if !errors.Is(err, fault.DeviceLost) || !errors.Is(err, cuda.IllegalAddress) || !strings.HasSuffix(err.Error(), "nothing, stray") {
		t.Errorf("got %v", err)
	}
	t.Log(err)
	later := thread.Do(context.Background(), func(*cuda.Context) error { t.Error("it ran"); return nil })
	if !errors.Is(later, fault.DeviceLost) {
		t.Errorf("later: %v", later)
	}
	if err := thread.Close(); err != nil {
		t.Errorf("closing: %v", err)
	}
}

// BenchmarkGPULaunch is a launch with the driver's part; the device is let catch up
// outside the time taken.
func BenchmarkGPULaunch(b *testing.B) {
	driver := openGPU(b)
	onGPU(b, driver, func(g *gpu) {
		const n = 256
		x, y := g.alloc(4*n), g.alloc(4*n)
		nothing, saxpy := g.function("nothing"), g.function("saxpy")
		params := saxpyParams(y, x, 1, n)
		graph, err := g.stream.Capture(func() error {
			for range 100 {
				if err := g.stream.Launch(saxpy, one(1), one(n), 0, params); err != nil {
					return err
				}
			}
			return nil
		})
		g.must(err)
		executable, err := graph.Instantiate()
		g.must(err)
		for _, bb := range []struct {
			name   string
			launch func() error
		}{
			{"nothing", func() error { return g.stream.Launch(nothing, one(1), one(32), 0, nil) }},
			{"saxpy", func() error { return g.stream.Launch(saxpy, one(1), one(n), 0, params) }},
			{"parameters", func() error {
				return g.stream.LaunchParameters(saxpy, one(1), one(n), 0, params[:8], params[8:16], params[16:20], params[20:])
			}},
			{"graph100", func() error { return executable.Launch(g.stream) }},
		} {
			benchmarkHere(b, bb.name, g, bb.launch)
		}
	})
}

// benchmarkHere times launch on this thread, where the context is; b.Run would take
// another.
func benchmarkHere(b *testing.B, name string, g *gpu, launch func() error) {
	b.Helper()
	const rounds, burst = 30, 100
	var host, all time.Duration
	for round := range rounds + 5 {
		g.must(g.stream.Synchronize())
		start := time.Now()
		for range burst {
			g.must(launch())
		}
		launched := time.Since(start)
		g.must(g.stream.Synchronize())
		if round >= 5 { // those before warm up
			host, all = host+launched, all+time.Since(start)
		}
	}
	b.ReportMetric(float64(host.Nanoseconds())/(rounds*burst), name+"-ns/launch")
	b.ReportMetric(float64(all.Nanoseconds())/(rounds*burst), name+"-ns/run")
}
