package cuda_test

import (
	"context"
	"runtime"
	"testing"

	"github.com/honeml/hone/plugins/cuda-kernels/cuda"
	"github.com/honeml/hone/plugins/cuda-kernels/cuda/cudatest"
	"github.com/honeml/hone/plugins/cuda-kernels/dl"
)

// newFake is a driver with one H100 and the kernels that the tests launch.
func newFake(t testing.TB) *cudatest.Driver {
	t.Helper()
	if runtime.GOOS != "linux" {
		t.Skip("CUDA is for Linux")
	}
	fake := cudatest.New(cudatest.H100())
	// void saxpy(float *y, const float *x, float a, int n, short offset)
	fake.Kernels["saxpy"] = cudatest.Kernel{Params: [][2]uint64{{0, 8}, {8, 8}, {16, 4}, {20, 4}, {24, 2}}}
	fake.Kernels["norm"] = cudatest.Kernel{Params: [][2]uint64{{0, 8}}}
	fake.Kernels["nothing"] = cudatest.Kernel{}
	return fake
}

func open(t testing.TB, from dl.Symbols) *cuda.Driver {
	t.Helper()
	driver, err := cuda.Open(from)
	if err != nil {
		t.Fatal(err)
	}
	return driver
}

func newThread(t testing.TB, driver *cuda.Driver) *cuda.Thread {
	t.Helper()
	devices, err := driver.Devices()
	if err != nil {
		t.Fatal(err)
	}
	thread, err := driver.NewThread(devices[0])
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := thread.Close(); err != nil {
			t.Error(err)
		}
	})
	return thread
}

// do runs f on a new thread of the driver. What f fails with, the test fails with.
func do(t testing.TB, from dl.Symbols, f func(c *cuda.Context) error) {
	t.Helper()
	if err := newThread(t, open(t, from)).Do(context.Background(), f); err != nil {
		t.Fatal(err)
	}
}

// function is a kernel of the fake driver, and a stream.
func function(t testing.TB, c *cuda.Context, name string) (*cuda.Function, *cuda.Stream) {
	t.Helper()
	module, err := c.LoadModule("test", []byte("code"))
	if err != nil {
		t.Fatal(err)
	}
	f, err := module.Function(name)
	if err != nil {
		t.Fatal(err)
	}
	stream, err := c.NewStream()
	if err != nil {
		t.Fatal(err)
	}
	return f, stream
}
