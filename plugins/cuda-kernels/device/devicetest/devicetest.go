// Package devicetest gives tests of kernels a GPU: they compile a set, upload
// numbers, launch and read results. A test that needs a GPU is skipped where there
// is none.
package devicetest

import (
	"encoding/binary"
	"math"
	"os"
	"testing"

	"github.com/honeml/hone/plugins/cuda-kernels/device"
)

// A Bench is a GPU for a test, and a queue that may be called anywhere.
type Bench struct {
	testing.TB
	*device.Queue
	GPU *device.GPU
}

// Open gives a test the first GPU, or skips it. With HONE_TEST_GPU set it fails
// instead, so that a machine with a GPU cannot pass by skipping.
func Open(tb testing.TB) *Bench {
	tb.Helper()
	gpu, err := device.Open(device.Options{})
	if err != nil && os.Getenv("HONE_TEST_GPU") == "" {
		tb.Skipf("no GPU: %v", err)
	}
	if err != nil {
		tb.Fatal(err)
	}
	b := &Bench{TB: tb, GPU: gpu}
	b.do(func() (err error) {
		b.Queue, err = gpu.NewQueue()
		return err
	})
	b.Anywhere()
	tb.Cleanup(func() {
		if err := gpu.Close(); err != nil {
			tb.Error(err)
		}
	})
	return b
}

// OpenHopper is Open for a test of kernels for Hopper alone.
func OpenHopper(tb testing.TB) *Bench {
	tb.Helper()
	b := Open(tb)
	if b.GPU.Arch() != device.HopperArch {
		tb.Skip("no Hopper GPU")
	}
	return b
}

func (b *Bench) do(f func() error) {
	b.Helper()
	if err := b.GPU.Do(f); err != nil {
		b.Fatal(err)
	}
}

// Load compiles a set for the GPU and loads it; an error ends the test.
func (b *Bench) Load(set *device.Set) {
	b.Helper()
	if err := b.GPU.Compile(b.Context(), set); err != nil {
		b.Fatal(err)
	}
	b.do(func() error { return b.GPU.Load(set) })
}

// Upload rounds numbers to a type and copies them to memory of the GPU, which is
// freed when the test ends. It is aligned to 256 bytes.
func (b *Bench) Upload(t device.Type, numbers []float32) device.Pointer {
	b.Helper()
	data := make([]byte, int64(len(numbers))*t.Size())
	t.Encode(data, numbers)
	return b.upload(data)
}

// UploadInts copies whole numbers to memory of the GPU.
func (b *Bench) UploadInts(numbers []int32) device.Pointer {
	b.Helper()
	data := make([]byte, 0, 4*len(numbers))
	for _, n := range numbers {
		data = binary.LittleEndian.AppendUint32(data, uint32(n))
	}
	return b.upload(data)
}

func (b *Bench) upload(data []byte) device.Pointer {
	b.Helper()
	p := b.alloc(len(data))
	b.Queue.Upload(p, data)
	if err := b.Err(); err != nil {
		b.Fatal(err)
	}
	return p
}

// Alloc is memory of n numbers of a type, each byte 0xff: NaN in every type.
func (b *Bench) Alloc(t device.Type, n int) device.Pointer {
	b.Helper()
	data := make([]byte, n*int(t.Size()))
	for i := range data {
		data[i] = 0xff
	}
	return b.upload(data)
}

func (b *Bench) alloc(bytes int) (p device.Pointer) {
	b.Helper()
	b.do(func() (err error) {
		p, err = b.GPU.Alloc(int64(max(1, bytes)))
		return err
	})
	b.Cleanup(func() {
		_ = b.GPU.Do(func() error { return b.GPU.Free(p) }) // fails after an error that the test reported
	})
	return p
}

// Download waits for the queue and reads n numbers, widened. An error of the
// queue ends the test.
func (b *Bench) Download(p device.Pointer, t device.Type, n int) []float32 {
	b.Helper()
	data := make([]byte, n*int(t.Size()))
	b.Queue.Download(data, p)
	if err := b.Wait(); err != nil {
		b.Fatal(err)
	}
	return t.Decode(data)
}

// Seconds is the time of the GPU for f's launches, the least of a number of runs
// after one that does not count.
func (b *Bench) Seconds(runs int, f func()) float64 {
	b.Helper()
	best := math.Inf(1)
	err := b.Within(func() error {
		for i := range runs + 1 {
			start := b.Record(nil)
			f()
			end := b.Record(nil)
			if err := b.Wait(); err != nil {
				return err
			}
			ms, err := end.Since(start)
			if err != nil {
				return err
			}
			if i > 0 {
				best = min(best, float64(ms)/1e3)
			}
		}
		return nil
	})
	if err != nil {
		b.Fatal(err)
	}
	return best
}

// Round is what a number becomes when it is held in a type.
func Round(t device.Type, x float32) float32 {
	data := make([]byte, t.Size())
	t.Encode(data, []float32{x})
	return t.Decode(data)[0]
}
