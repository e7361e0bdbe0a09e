package device

import (
	"fmt"

	"github.com/honeml/hone/plugins/cuda-kernels/cubin"
)

// loaded is what a Kernel is once its Set was loaded.
type loaded struct {
	function   any
	parameters []cubin.Parameter
}

// A Grid is how a launch is cut up: X·Y·Z blocks of Threads threads, each with
// Shared bytes of shared memory beside what the kernel declares. Y and Z of 0 are 1.
type Grid struct {
	X, Y, Z int
	Threads int
	Shared  int
}

// A Queue is work for the GPU that is done in its order. It keeps the first error
// and does nothing after it.
type Queue struct {
	stream stream
	buffer []byte
	where  string
	err    error
}

// stream is what a Queue needs of the driver.
type stream interface {
	launch(k *Kernel, grid Grid, params []byte) error
	copy(dst, src Pointer, bytes int64) error
	fill(dst Pointer, value byte, bytes int64) error
}

// At says what the launches that follow are for: the name of a node, for errors.
func (q *Queue) At(where string) { q.where = where }

// Launch runs a kernel. The arguments are Pointer, int32, uint32, int64, uint64 or
// float32, one for each of the kernel's parameters; a grid without blocks is no
// launch.
func (q *Queue) Launch(k *Kernel, grid Grid, args ...any) {
	if q.err != nil || grid.X == 0 {
		return
	}
	if k.function == nil {
		q.fail(k.Name, fmt.Errorf("it was not compiled"))
		return
	}
	var err error
	if q.buffer, err = pack(q.buffer, k.parameters, args); err == nil {
		grid.Y, grid.Z = max(1, grid.Y), max(1, grid.Z)
		err = q.stream.launch(k, grid, q.buffer)
	}
	if err != nil {
		q.fail(k.Name, err)
	}
}

// Copy copies bytes within the GPU.
func (q *Queue) Copy(dst, src Pointer, bytes int64) {
	if q.err == nil && bytes > 0 {
		if err := q.stream.copy(dst, src, bytes); err != nil {
			q.fail("copy", err)
		}
	}
}

// Zero fills bytes with zeros.
func (q *Queue) Zero(dst Pointer, bytes int64) {
	if q.err == nil && bytes > 0 {
		if err := q.stream.fill(dst, 0, bytes); err != nil {
			q.fail("zero", err)
		}
	}
}

// Fail notes an error of what is not a launch; nil is none.
func (q *Queue) Fail(err error) {
	if q.err == nil && err != nil {
		q.fail("", err)
	}
}

func (q *Queue) fail(what string, err error) {
	switch {
	case q.where != "" && what != "":
		q.err = fmt.Errorf("%s: kernel %s: %w", q.where, what, err)
	case q.where != "":
		q.err = fmt.Errorf("%s: %w", q.where, err)
	case what != "":
		q.err = fmt.Errorf("kernel %s: %w", what, err)
	default:
		q.err = err
	}
}

// Err is the first error, or nil.
func (q *Queue) Err() error { return q.err }
