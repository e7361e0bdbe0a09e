package rows

import (
	_ "embed"

	"github.com/honeml/hone/plugins/cuda-kernels/device"
	"github.com/honeml/hone/sdk/graph/dropout"
)

//go:embed dropout.cu
var dropoutText string

// A Dropout drops elements of a matrix by the counters of sdk/graph/dropout.
type Dropout struct {
	pieces int64 // of a token
	slots  int64
	kernel *device.Kernel
}

// NewDropout is for x and y [rows·slots, width].
func NewDropout(set *device.Set, width, slots int, x, y device.Type) *Dropout {
	counters := 1
	if width%8 == 0 && x.Size() == 2 && y.Size() == 2 {
		counters = 2
	}
	return &Dropout{
		pieces: int64(slots) * device.Ceil(int64(width), int64(4*counters)),
		slots:  int64(slots),
		kernel: set.Kernel(device.Source{Name: "dropout.cu", Text: dropoutText, Defines: []string{
			DefineType("X_TYPE", x), DefineType("Y_TYPE", y), Define("WIDTH", width), Define("SLOTS", slots), Define("BLOCKS", counters),
		}}, "apply"),
	}
}

// Apply is y = x·mask/(1−p), or y += x·mask/(1−p) where it accumulates; y may be x.
// rows are tokens, whatever their slots; sample and position are int32 [rows]. key is
// two uint32 in the GPU's memory, so that a recorded launch takes the step's key.
func (d *Dropout) Apply(q *device.Queue, rows int, y, x, sample, position, key device.Pointer, p float64, accumulate bool) {
	q.Launch(d.kernel, Blocks(int64(rows)*d.pieces), y, x, sample, position, key, int64(rows)*d.slots,
		dropout.Threshold(p), float32(1/(1-p)), Flag(accumulate))
}
