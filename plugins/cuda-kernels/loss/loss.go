package loss

import (
	_ "embed"
	"fmt"

	"github.com/honeml/hone/plugins/cuda-kernels/device"
)

//go:embed loss.cu
var lossText string

//go:embed total.cu
var totalText string

// A Spec is the shape of logits.
type Spec struct {
	Vocab  int         // columns
	Stride int         // numbers from a row to the next; 0 is Vocab
	Type   device.Type // of the logits and of their gradient
	// Shared is how many bytes of shared memory a block may have. A row that fits is
	// read from memory once; what does not fit is read again, from L2 if possible.
	Shared int
}

// A CrossEntropy is the kernels of the loss.
type CrossEntropy struct {
	spec    Spec
	threads int

	gradient, score, total *device.Kernel
}

// New asks a set for what a shape needs.
func New(set *device.Set, spec Spec) *CrossEntropy {
	if spec.Stride == 0 {
		spec.Stride = spec.Vocab
	}
	c := &CrossEntropy{spec: spec, threads: threadsFor(spec)}
	source := device.Source{Name: "loss.cu", Text: lossText, Defines: []string{
		fmt.Sprintf("VOCAB=%d", spec.Vocab), fmt.Sprintf("STRIDE=%d", spec.Stride),
		"TYPE=" + spec.Type.C(), fmt.Sprintf("THREADS=%d", c.threads),
	}}
	c.gradient = set.Kernel(source, "cross_entropy")
	c.score = set.Kernel(source, "log_probability")
	c.total = set.Kernel(device.Source{Name: "total.cu", Text: totalText}, "total")
	return c
}

// threadsFor is the threads of a row: each has several vectors, and a large vocabulary
// a whole multiprocessor, so that few rows are in work and those fit in L2.
func threadsFor(s Spec) int {
	threads := 32
	for threads < 1024 && s.Vocab*int(s.Type.Size()) > threads*64 {
		threads *= 2
	}
	return threads
}

// Gradient computes losses [rows] float32, −weight·log p(target), and turns logits
// [rows, Stride] into the gradient of their sum, times the loss scale. A row of weight
// 0 has loss and gradient 0.
//
// targets is int32 [rows], weights float32 [rows]; scale is where the loss scale
// stands, a float32.
func (c *CrossEntropy) Gradient(q *device.Queue, rows int, logits, targets, weights, scale, losses device.Pointer) {
	shared := c.stash()
	q.Launch(c.gradient, device.Grid{X: rows, Threads: c.threads, Shared: shared},
		logits, targets, weights, scale, losses, int32(shared/16))
}

// reserve is the shared memory that a block has beside the stash.
const reserve = 2048

// stash is how many bytes of a row are kept in shared memory; none of rows that are
// small enough for many of them to lie in L2.
func (c *CrossEntropy) stash() int {
	row := c.spec.Vocab * int(c.spec.Type.Size())
	if c.threads < 1024 {
		return 0
	}
	return max(0, min(row, c.spec.Shared-reserve)) / 16 * 16
}

// Score computes logp [rows] float32, the log-probability of each row's target, and
// leaves the logits as they are.
func (c *CrossEntropy) Score(q *device.Queue, rows int, logits, targets, logp device.Pointer) {
	q.Launch(c.score, device.Grid{X: rows, Threads: c.threads}, logits, targets, logp)
}

// Total adds the sum of losses [rows] to total, a float64. The sum is the same to the
// bit for the same losses.
func (c *CrossEntropy) Total(q *device.Queue, rows int, losses, total device.Pointer) {
	if rows > 0 {
		q.Launch(c.total, device.Grid{X: 1, Threads: 1024}, losses, total, int32(rows))
	}
}
