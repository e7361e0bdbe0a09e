package engine

import (
	"encoding/binary"
	"math"

	"github.com/honeml/hone/plugins/cuda-kernels/cuda"
	"github.com/honeml/hone/plugins/cuda-kernels/device"
	"github.com/honeml/hone/plugins/cuda-kernels/optimizer"
)

// results is what steps leave for the host: the optimizer's state, the step's loss, its
// balancing losses and the losses of its micro-batches. A ring of pinned copies lets the
// host read a step's while the next one runs.
type results struct {
	copies []resultsCopy
	at     int
}

type resultsCopy struct {
	memory       *cuda.HostMemory
	begun, ended *cuda.Event
}

// mostMicroBatches bounds the micro-batches of a step.
const mostMicroBatches = 16384

// stepsAhead is how many steps may be enqueued and not yet read.
const stepsAhead = 2

// resultsBytes: the state, the step's loss, its balancing losses, the micro-batches' losses,
// float64 each.
func resultsBytes(microBatches int) int64 {
	return device.Align(optimizer.StateBytes) + sumsBytes(microBatches)
}

// sumsBytes are those of what is behind the state.
func sumsBytes(microBatches int) int64 { return 8 * int64(2+microBatches) }

func newResults(e *Engine) (*results, error) {
	r := &results{copies: make([]resultsCopy, stepsAhead)}
	for i := range r.copies {
		memory, err := e.gpu.AllocHost(resultsBytes(mostMicroBatches))
		if err != nil {
			return nil, err
		}
		r.copies[i].memory = memory
	}
	return r, nil
}

// next is the copy for the next step.
func (r *results) next() *resultsCopy {
	c := &r.copies[r.at%len(r.copies)]
	r.at++
	return c
}

// layOutResults lays out what a step sums into.
func (e *Engine) layOutResults(a *arena, rows int) {
	e.lossSpan = a.take("workspace", int64(rows)*4)
	e.resultSpan = a.take("workspace", resultsBytes(mostMicroBatches+1))
	e.optimizerSpan = a.take("workspace", e.optimizer.Workspace())
}

// state is where the optimizer's state lies.
func (e *Engine) state() device.Pointer { return e.at(e.resultSpan) }

// sumAt is where the sum of an index stands behind the state.
func (e *Engine) sumAt(i int) device.Pointer {
	return e.state().Offset(device.Align(optimizer.StateBytes) + 8*int64(i))
}

// lossAt is where a step's loss is summed, balanceAt where its balancing losses are.
func (e *Engine) lossAt() device.Pointer    { return e.sumAt(0) }
func (e *Engine) balanceAt() device.Pointer { return e.sumAt(1) }

// batchLossAt is where the loss of micro-batch i is put.
func (e *Engine) batchLossAt(i int) device.Pointer { return e.sumAt(2 + i) }

// lossNow is where a micro-batch's loss is summed while it runs.
func (e *Engine) lossNow() device.Pointer { return e.batchLossAt(mostMicroBatches) }

// losses reads the step's loss, its balancing losses and the losses of its micro-batches.
func (c *resultsCopy) losses(microBatches int) (total, balance float64, each []float64) {
	data := c.memory.Bytes()[device.Align(optimizer.StateBytes):]
	number := func(i int) float64 { return math.Float64frombits(binary.LittleEndian.Uint64(data[8*i:])) }
	for i := range microBatches {
		each = append(each, number(2+i))
	}
	return number(0), number(1), each
}
