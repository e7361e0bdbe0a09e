package engine

import (
	"errors"

	"github.com/honeml/hone/plugins/cuda-kernels/cuda"
)

// recordings are micro-batches' work recorded as CUDA graphs, which the host launches at
// once. Work depends on how many rows and predictions a batch has, each rounded up to a
// bucket, and on nothing else: what differs from batch to batch lies in memory.
type recordings struct {
	seen   map[recordKey]int
	graphs map[recordKey]*cuda.GraphExec
}

type recordKey struct{ rows, predictions int }

const (
	// mostRecordings bounds the memory that the driver takes for graphs.
	mostRecordings = 8
	// runsBeforeRecording: the first run has cuBLASLt choose its algorithms, and what
	// comes once or twice is not worth recording.
	runsBeforeRecording = 2
	// launchesOfStep is about how many launches a step of a program comes to, and
	// hostSeconds what each costs the host.
	launchesOfStep = 4
	hostSeconds    = 6e-6
)

// repeat does work, or launches its recording. Where the GPU takes longer for it than
// the host takes to launch it, a recording gains nothing.
func (e *Engine) repeat(key recordKey, work func()) {
	r := &e.recordings
	if e.options.Eager || e.clock != nil || len(e.training.moved) > 0 || !e.hostBound(key.rows) {
		work()
		return
	}
	if graph := r.graphs[key]; graph != nil {
		e.q.At("a recorded micro-batch")
		e.q.Replay(graph)
		return
	}
	if r.seen == nil {
		r.seen, r.graphs = map[recordKey]int{}, map[recordKey]*cuda.GraphExec{}
	}
	if r.seen[key]++; r.seen[key] <= runsBeforeRecording || len(r.graphs) == mostRecordings {
		work()
		return
	}
	if graph := e.q.Capture(work); graph != nil {
		r.graphs[key] = graph
		e.q.Replay(graph)
	}
}

// hostBound reports whether launching a micro-batch of so many rows takes about as
// long as running it, by estimate.
func (e *Engine) hostBound(rows int) bool {
	host := float64(len(e.training.steps)) * launchesOfStep * hostSeconds
	return e.layout.seconds*float64(rows) < 2*host
}

// close gives the graphs back.
func (r *recordings) close() error {
	var errs []error
	for _, graph := range r.graphs {
		errs = append(errs, graph.Close())
	}
	r.graphs = nil
	return errors.Join(errs...)
}
