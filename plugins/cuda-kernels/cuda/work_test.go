package cuda_test

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/honeml/hone/plugins/cuda-kernels/cuda"
	"github.com/honeml/hone/plugins/cuda-kernels/cuda/cudatest"
	"github.com/honeml/hone/sdk/fault"
)

func TestAlloc(t *testing.T) {
	do(t, newFake(t), func(c *cuda.Context) error {
		p, err := c.Alloc(5_000_000)
		if err != nil || p == 0 {
			t.Errorf("got %#x, %v", p, err)
		}
		_, err = c.Alloc(90_000_000_000)
		const want = "cuMemAlloc of 90000000000 bytes on GPU 0 (NVIDIA H100 80GB HBM3), where 84995000000 of 85000000000 bytes are free: " +
			"out of memory (CUDA_ERROR_OUT_OF_MEMORY, 2)"
		if !errors.Is(err, fault.OutOfMemory) || err.Error() != want || fault.HintOf(err) == "" {
			t.Errorf("got %v", err)
		}
		for _, n := range []int64{0, -1} {
			if _, err := c.Alloc(n); !errors.Is(err, fault.BadInput) {
				t.Errorf("%d bytes: %v", n, err)
			}
			if _, err := c.AllocHost(n); !errors.Is(err, fault.BadInput) {
				t.Errorf("%d bytes of pinned memory: %v", n, err)
			}
		}
		// It is not sticky.
		return c.Free(p)
	})
}

func TestLaunchParameters(t *testing.T) {
	fake := newFake(t)
	var got []cudatest.Launch
	run := func(l cudatest.Launch) { got = append(got, l) }
	fake.Kernels["saxpy"] = cudatest.Kernel{Params: fake.Kernels["saxpy"].Params, Run: run}
	// void tile(float *y, const __grid_constant__ Map m, int k), Map aligned to 64
	fake.Kernels["tile"] = cudatest.Kernel{Params: [][2]uint64{{0, 8}, {64, 128}, {192, 4}}, Run: run}
	do(t, fake, func(c *cuda.Context) error {
		saxpy, s := function(t, c, "saxpy")
		tile, _ := function(t, c, "tile")
		if saxpy.ParameterBytes != 26 || tile.ParameterBytes != 196 {
			t.Errorf("parameters take %d and %d bytes", saxpy.ParameterBytes, tile.ParameterBytes)
		}
		params := binary.LittleEndian.AppendUint64(nil, 1<<40)
		params = binary.LittleEndian.AppendUint64(params, 1<<41)
		params = append(params, "abcdefghij......"...)
		one := [3]uint32{1, 1, 1}
		for _, n := range []int{26, 32} {
			if err := s.Launch(saxpy, one, one, 0, params[:n]); err != nil {
				return err
			}
			if l := got[len(got)-1]; !bytes.Equal(l.Params, params[:26]) || l.Stream != s.Handle() {
				t.Errorf("of %d bytes, %v arrived", n, l)
			}
		}
		// The caller's buffer is free again.
		clear(params)
		if got[0].Params[5] != 1 {
			t.Errorf("got %v", got[0].Params)
		}
		for _, n := range []int{0, 25, 33} {
			err := s.Launch(saxpy, one, one, 0, make([]byte, n))
			if !errors.Is(err, fault.BadInput) || !strings.Contains(err.Error(), "take 26 bytes") {
				t.Errorf("%d bytes: %v", n, err)
			}
		}
		each := [][]byte{bytes.Repeat([]byte{1}, 8), bytes.Repeat([]byte{2}, 128), bytes.Repeat([]byte{3}, 4)}
		if err := s.LaunchParameters(tile, one, one, 0, each...); err != nil {
			return err
		}
		if l := got[len(got)-1]; !slices.EqualFunc(l.Each, each, bytes.Equal) || l.Params != nil {
			t.Errorf("arrived: %v", l)
		}
		for name, bad := range map[string][][]byte{"an empty one": {nil}, "too long": {make([]byte, 40000)}, "too many": make([][]byte, 300)} {
			if err := s.LaunchParameters(tile, one, one, 0, bad...); !errors.Is(err, fault.BadInput) {
				t.Errorf("%s: %v", name, err)
			}
		}
		return nil
	})
}

// TestTensorMap: what a tensor is said to be reaches the driver, and the map that it
// answers with reaches the kernel.
func TestTensorMap(t *testing.T) {
	fake := newFake(t)
	var got cudatest.Launch
	fake.Kernels["tile"] = cudatest.Kernel{Params: [][2]uint64{{0, 128}}, Run: func(l cudatest.Launch) { got = l }}
	do(t, fake, func(c *cuda.Context) error {
		tile, s := function(t, c, "tile")
		tensor := cuda.Tensor{
			Type: cuda.TensorFloat16, Address: 0x4560, Swizzle: cuda.Swizzle64,
			Dims: [5]int64{32, 1 << 20, 3}, Strides: [4]int64{192, 64}, Box: [5]int{32, 256, 1},
		}
		m, err := c.TensorMap(&tensor)
		if err != nil {
			return err
		}
		one := [3]uint32{1, 1, 1}
		if err := s.LaunchParameters(tile, one, one, 0, m[:]); err != nil {
			return err
		}
		want := []uint64{6 | 3<<32, 0x4560, 2, 32, 1 << 20, 3, 0, 0, 192, 64, 0, 0, 32 | 256<<12 | 1<<24}
		for i, word := range want {
			if found := binary.LittleEndian.Uint64(got.Each[0][8*i:]); found != word {
				t.Errorf("word %d is %#x, want %#x", i, found, word)
			}
		}
		tensor.Address++
		_, err = c.TensorMap(&tensor)
		if !errors.Is(err, cuda.InvalidValue) || !strings.Contains(err.Error(), "cuTensorMapEncodeTiled of {Type:6 Address:17761 Dims:[32 1048576 3 0 0]") {
			t.Errorf("got %v", err)
		}
		if _, err := c.TensorMap(&cuda.Tensor{Address: 0x4560}); !errors.Is(err, fault.BadInput) {
			t.Errorf("got %v", err)
		}
		return nil
	})
}

func TestFunction(t *testing.T) {
	tests := []struct {
		name       string
		missing    []string
		parameters int
	}{{"a new driver", nil, 26}, {"a driver before 12.4", []string{"cuFuncLoad", "cuFuncGetParamInfo"}, -1}}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			fake := newFake(t)
			fake.Missing = tt.missing
			do(t, fake, func(c *cuda.Context) error {
				f, s := function(t, c, "saxpy")
				if f.MaxThreads != 1024 || f.SharedBytes != 128 || f.LocalBytes != 16 || f.Registers != 40 || f.ParameterBytes != tt.parameters {
					t.Errorf("got %+v", f)
				}
				return s.Launch(f, [3]uint32{1, 1, 1}, [3]uint32{1, 1, 1}, 0, make([]byte, 26))
			})
		})
	}
}

func TestModule(t *testing.T) {
	fake := newFake(t)
	do(t, fake, func(c *cuda.Context) error {
		if _, err := c.LoadModule("empty.cu", nil); !errors.Is(err, fault.BadInput) {
			t.Errorf("an empty module: %v", err)
		}
		fake.Answer("cuModuleLoadDataEx", 209)
		_, err := c.LoadModule("norm.cu", []byte("x"))
		if !errors.Is(err, fault.Unsupported) || !strings.Contains(err.Error(), "norm.cu on GPU 0") {
			t.Errorf("another GPU's code: %v", err)
		}
		m, err := c.LoadModule("norm.cu", []byte("x"))
		if err != nil {
			return err
		}
		if _, err := m.Function("norn"); !errors.Is(err, cuda.NotFound) || !strings.Contains(err.Error(), "norn in norm.cu") {
			t.Errorf("a function that is not there: %v", err)
		}
		if p, n, err := m.Global("table"); p == 0 || n != 16 || err != nil {
			t.Errorf("got %#x, %d bytes, %v", p, n, err)
		}
		return errors.Join(m.Unload(), m.Unload())
	})
}

func TestEventsThatHaveNotHappened(t *testing.T) {
	fake := newFake(t)
	do(t, fake, func(c *cuda.Context) error {
		_, s := function(t, c, "nothing")
		e, err := c.NewEvent(false)
		if err != nil {
			return err
		}
		fake.Answer("cuEventQuery", 600, 0, 719)
		fake.Answer("cuStreamQuery", 600, 0)
		for _, want := range []bool{false, true} {
			if done, err := e.Done(); done != want || err != nil {
				t.Errorf("the event: %v, %v", done, err)
			}
			if done, err := s.Done(); done != want || err != nil {
				t.Errorf("the stream: %v, %v", done, err)
			}
		}
		if _, err := e.Done(); !errors.Is(err, fault.DeviceLost) {
			t.Errorf("got %v", err)
		}
		return nil
	})
}

func TestGraphs(t *testing.T) {
	fake := newFake(t)
	var order []byte
	fake.Kernels["norm"] = cudatest.Kernel{Params: [][2]uint64{{0, 8}}, Run: func(l cudatest.Launch) { order = append(order, l.Params[0]) }}
	do(t, fake, func(c *cuda.Context) error {
		f, s := function(t, c, "norm")
		record := func(n int) (*cuda.Graph, error) {
			return s.Capture(func() error {
				for i := range n {
					params := [8]byte{byte(n + i)}
					if err := s.Launch(f, [3]uint32{1, 1, 1}, [3]uint32{1, 1, 1}, 0, params[:]); err != nil {
						return err
					}
				}
				return nil
			})
		}
		three, err := record(3)
		if err != nil {
			return err
		}
		if order != nil {
			t.Errorf("while it was recorded, %v ran", order)
		}
		x, err := three.Instantiate()
		if err != nil {
			return err
		}
		if err := errors.Join(three.Close(), three.Close(), x.Upload(s), x.Launch(s), x.Launch(s)); err != nil {
			return err
		}
		if !slices.Equal(order, []byte{3, 4, 5, 3, 4, 5}) {
			t.Errorf("%v ran", order)
		}
		two, err := record(2)
		if err != nil {
			return err
		}
		if ok, err := x.Update(two); ok || err != nil {
			t.Errorf("an update with another graph: %v, %v", ok, err)
		}
		if three, err = record(3); err != nil {
			return err
		}
		if ok, err := x.Update(three); !ok || err != nil {
			t.Errorf("an update: %v, %v", ok, err)
		}
		fake.Answer("cuGraphLaunch", 0, 700)
		if err := x.Launch(s); err != nil {
			return err
		}
		err = x.Launch(s)
		if want := "launched before, the latest last: a graph of 3 launches (norm) (3 times)"; !errors.Is(err, fault.DeviceLost) || !strings.HasSuffix(err.Error(), want) {
			t.Errorf("got %v", err)
		}
		return nil
	})
}

func TestAGraphOfManyKernelsIsNamedInShort(t *testing.T) {
	fake := newFake(t)
	do(t, fake, func(c *cuda.Context) error {
		_, s := function(t, c, "nothing")
		g, err := s.Capture(func() error {
			for _, name := range strings.Split("a b c d e f g h i j", " ") {
				s.Note(name)
			}
			return nil
		})
		if err != nil {
			return err
		}
		fake.Answer("cuGraphInstantiateWithFlags", 1)
		_, err = g.Instantiate()
		if err == nil || !strings.Contains(err.Error(), "of a graph of 10 launches (a, b, c, d, e, f, g, h and 2 more):") {
			t.Errorf("got %v", err)
		}
		return nil
	})
}

func TestCapturesThatFail(t *testing.T) {
	fake := newFake(t)
	thread := newThread(t, open(t, fake))
	var stream *cuda.Stream
	err := thread.Do(context.Background(), func(c *cuda.Context) error {
		_, s := function(t, c, "nothing")
		stream = s
		host, err := c.AllocHost(8)
		if err != nil {
			return err
		}
		p, err := c.Alloc(8)
		if err != nil {
			return err
		}
		failure := errors.New("mine")
		if _, err := s.Capture(func() error { return failure }); !errors.Is(err, failure) {
			t.Errorf("got %v", err)
		}
		if _, err := s.EndCapture(); !errors.Is(err, fault.OutOfOrder) {
			t.Errorf("an end without a beginning: %v", err)
		}
		fake.Answer("cuStreamEndCapture", 901)
		if _, err := s.Capture(func() error { return nil }); !errors.Is(err, cuda.CaptureInvalid) {
			t.Errorf("got %v", err)
		}
		if err := s.BeginCapture(); err != nil {
			return err
		}
		if err := s.BeginCapture(); !errors.Is(err, fault.OutOfOrder) {
			t.Errorf("one capture in another: %v", err)
		}
		if err := s.CopyToDevice(p, make([]byte, 8)); !errors.Is(err, fault.OutOfOrder) {
			t.Errorf("recording a copy of Go's memory: %v", err)
		}
		if err := s.CopyToHost(host.Bytes()[4:], p); err != nil {
			t.Errorf("recording a copy of pinned memory: %v", err)
		}
		return nil
	})
	if !errors.Is(err, fault.OutOfOrder) || !strings.Contains(err.Error(), "was not ended") {
		t.Errorf("a capture that was left open: %v", err)
	}
	err = thread.Do(context.Background(), func(*cuda.Context) error {
		if err := stream.BeginCapture(); err != nil {
			return err
		}
		panic("here")
	})
	if err == nil || !strings.Contains(err.Error(), "here") {
		t.Errorf("got %v", err)
	}
	err = thread.Do(context.Background(), func(*cuda.Context) error { _, err := stream.Capture(func() error { return nil }); return err })
	if err != nil {
		t.Errorf("after captures that failed: %v", err)
	}
}
