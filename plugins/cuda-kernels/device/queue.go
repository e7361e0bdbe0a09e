package device

import (
	"errors"
	"fmt"
	"sync"

	"github.com/honeml/hone/plugins/cuda-kernels/cubin"
	"github.com/honeml/hone/plugins/cuda-kernels/cuda"
)

// loaded is what a Kernel is once its Set was loaded.
type loaded struct {
	function   *cuda.Function
	parameters []cubin.Parameter
	mapped     bool // a parameter is a TensorMap
	shared     int  // dynamic shared memory that a block may have by now
}

// defaultShared is the dynamic shared memory that a block can have without asking.
const defaultShared = 48 << 10

// A Grid is how a launch is cut up: X·Y·Z blocks of Threads threads, each with
// Shared bytes of shared memory beside what the kernel declares. Y and Z of 0 are 1.
type Grid struct {
	X, Y, Z int
	Threads int
	Shared  int
}

// Ceil is n/by, rounded up: how many blocks of by there are to n.
func Ceil[N int | int64](n, by N) N { return (n + by - 1) / by }

// A Queue is work for the GPU that is done in its order. It keeps the first error
// and does nothing after it.
type Queue struct {
	gpu    *GPU
	stream *cuda.Stream
	buffer []byte   // the arguments of a launch
	each   [][]byte // single ones of them
	err    error

	doing  sync.Mutex // of the two that follow: who waits in vain asks for them
	where  string
	latest string // kernel that was launched

	anywhere bool // each call goes to the GPU's thread by itself
}

// Anywhere lets the queue's calls be made outside of [GPU.Do]. It is for tests: each
// call takes some microseconds.
func (q *Queue) Anywhere() { q.anywhere = true }

// Within runs f, whose calls go to a queue that may be called anywhere, within one
// [GPU.Do].
func (q *Queue) Within(f func() error) error {
	return q.gpu.Do(func() error {
		anywhere := q.anywhere
		q.anywhere = false
		defer func() { q.anywhere = anywhere }()
		return f()
	})
}

func (q *Queue) do(f func() error) {
	if q.err != nil {
		return
	}
	if q.anywhere {
		q.Fail(q.gpu.Do(f))
		return
	}
	q.Fail(f())
}

// At says what the launches that follow are for: the name of a node, for errors.
func (q *Queue) At(where string) {
	q.doing.Lock()
	defer q.doing.Unlock()
	q.where = where
}

// Latest says what was launched last. It may be called while another call waits.
func (q *Queue) Latest() string {
	q.doing.Lock()
	defer q.doing.Unlock()
	return fmt.Sprintf("%s: kernel %s", q.where, q.latest)
}

// Launch runs a kernel. The arguments are Pointer, int32, uint32, int64, uint64,
// float32, TensorMap, []int32 or []TensorMap, one for each of the kernel's parameters; a grid
// without blocks is no launch.
func (q *Queue) Launch(k *Kernel, grid Grid, args ...any) {
	if q.err != nil || grid.X == 0 {
		return
	}
	if k.function == nil {
		q.fail(k.Name, fmt.Errorf("it was not compiled"))
		return
	}
	q.doing.Lock()
	q.latest = k.Name
	q.doing.Unlock()
	var err error
	if q.buffer, err = pack(q.buffer, k.parameters, args); err != nil {
		q.fail(k.Name, err)
		return
	}
	if q.anywhere {
		err = q.gpu.Do(func() error { return q.launch(k, grid) })
	} else {
		err = q.launch(k, grid)
	}
	if err != nil {
		q.fail(k.Name, fmt.Errorf("%w (%d x %d x %d blocks of %d threads, %d bytes shared)", err, grid.X, grid.Y, grid.Z, grid.Threads, grid.Shared))
	}
}

// launch launches with the arguments in q.buffer.
func (q *Queue) launch(k *Kernel, grid Grid) error {
	if err := k.ask(grid.Shared); err != nil {
		return err
	}
	blocks := [3]uint32{uint32(grid.X), uint32(max(1, grid.Y)), uint32(max(1, grid.Z))}
	threads := [3]uint32{uint32(grid.Threads), 1, 1}
	if k.mapped {
		q.each = split(q.each, q.buffer, k.parameters)
		return q.stream.LaunchParameters(k.function, blocks, threads, uint32(grid.Shared), q.each...)
	}
	return q.stream.Launch(k.function, blocks, threads, uint32(grid.Shared), q.buffer)
}

// SMs is how many streaming multiprocessors the GPU has: how many blocks a kernel has
// whose blocks stay.
func (q *Queue) SMs() int { return q.gpu.Info.SMs }

// TensorMap is a tensor of the GPU as a kernel copies tiles of it; after an error it is
// none.
func (q *Queue) TensorMap(t cuda.Tensor) (m TensorMap) {
	q.do(func() (err error) {
		m, err = q.gpu.context.TensorMap(&t)
		return err
	})
	return m
}

// ask asks the driver for dynamic shared memory beyond the default, once.
func (k *Kernel) ask(shared int) error {
	if shared <= max(k.shared, defaultShared) {
		return nil
	}
	if err := k.function.SetDynamicShared(shared); err != nil {
		return err
	}
	k.shared = shared
	return nil
}

// Run gives f the stream, for libraries that put work of their own on it.
func (q *Queue) Run(f func(stream uintptr) error) {
	q.do(func() error { return f(q.stream.Handle()) })
}

// Copy copies bytes within the GPU.
func (q *Queue) Copy(dst, src Pointer, bytes int64) {
	q.do(func() error { return q.stream.Copy(cuda.Pointer(dst), cuda.Pointer(src), bytes) })
}

// Zero fills bytes with zeros.
func (q *Queue) Zero(dst Pointer, bytes int64) {
	q.do(func() error { return q.stream.Fill8(cuda.Pointer(dst), 0, bytes) })
}

// Upload copies to the GPU. Pinned memory must stay as it is until the copy is done;
// other memory is free again at once.
func (q *Queue) Upload(dst Pointer, src []byte) {
	q.do(func() error { return q.stream.CopyToDevice(cuda.Pointer(dst), src) })
}

// Download copies from the GPU: into pinned memory in the queue's order, into other
// memory before it returns.
func (q *Queue) Download(dst []byte, src Pointer) {
	q.do(func() error { return q.stream.CopyToHost(dst, cuda.Pointer(src)) })
}

// Record notes where the queue is. event is one to use again, or nil; the event is
// given back, nil after an error.
func (q *Queue) Record(event *cuda.Event) *cuda.Event {
	q.do(func() (err error) {
		if event == nil {
			if event, err = q.gpu.context.NewEvent(true); err != nil {
				return err
			}
		}
		return q.stream.Record(event)
	})
	return event
}

// Capture records what f puts on the queue as a graph, instead of running it; nil after
// an error.
func (q *Queue) Capture(f func()) (exec *cuda.GraphExec) {
	q.do(func() error {
		graph, err := q.stream.Capture(func() error {
			f()
			return q.err
		})
		if err != nil {
			return err
		}
		if exec, err = graph.Instantiate(); err != nil {
			return errors.Join(err, graph.Close())
		}
		return graph.Close()
	})
	return exec
}

// Replay runs a graph.
func (q *Queue) Replay(graph *cuda.GraphExec) {
	q.do(func() error { return graph.Launch(q.stream) })
}

// After lets what follows begin only once an event of another queue was reached; nil is
// none.
func (q *Queue) After(event *cuda.Event) {
	if event != nil {
		q.do(func() error { return q.stream.Wait(event) })
	}
}

// Wait waits until all of the work is done, and answers the first error.
func (q *Queue) Wait() error {
	q.do(q.stream.Synchronize)
	return q.err
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
