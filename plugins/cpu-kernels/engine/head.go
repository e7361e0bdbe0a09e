package engine

import (
	"math"

	"github.com/honeml/hone/plugins/cpu-kernels/vecmath"
	"github.com/honeml/hone/sdk/graph"
	"github.com/honeml/hone/sdk/graph/head"
)

// A logitsHead computes the head of the Graph some rows at a time, forward, loss
// and backward.
type logitsHead struct {
	e *Engine
	*head.Head
	kernels []kernel
	width   int // of the head's input
}

// headBytes bounds the logits that exist at a time.
const headBytes = 32 << 20

// findHead finds the head of the Graph, nil where it does not end in one.
func (e *Engine) findHead(kernelOf []kernel) *logitsHead {
	found := head.Find(e.g)
	if found == nil {
		return nil
	}
	h := &logitsHead{e: e, Head: found, width: e.g.Values[found.Input].Width}
	for _, i := range found.Nodes {
		h.kernels = append(h.kernels, kernelOf[i])
	}
	return h
}

// rowsAtATime is how many rows the head computes together.
func (h *logitsHead) rowsAtATime() int {
	return min(256, max(8, headBytes/(4*h.e.g.Vocabulary())))
}

// each computes the logits of the rows listed and gives them to f, some rows at
// a time: f gets the indices of these rows and their logits, [len, vocabulary],
// and where d is not nil leaves there the gradient of the logits, which is taken
// back to dx.
func (h *logitsHead) each(c call, x []float32, indices []int, dx []float32, f func(indices []int, logits, d []float32)) {
	step := h.rowsAtATime()
	for at := 0; at < len(indices); at += step {
		part := indices[at:min(len(indices), at+step)]
		h.some(c, x, part, dx, f)
	}
}

func (h *logitsHead) some(c call, x []float32, indices []int, dx []float32, f func([]int, []float32, []float32)) {
	e, n := h.e, len(indices)
	xs := e.scratch(n * h.width)
	for i, t := range indices {
		copy(xs[i*h.width:], x[t*h.width:(t+1)*h.width])
	}
	c.rows = c.rows.pick(indices)
	values := [][]float32{xs}
	for i, k := range h.kernels {
		y := e.scratch(n * e.g.Values[e.g.Nodes[h.Nodes[i]].Outputs[0]].Width)
		values = append(values, y)
		forward := c
		forward.in, forward.out = values[i:i+1], values[i+1:i+2]
		k.forward(&forward)
	}
	logits := values[len(values)-1]
	if !c.training {
		f(indices, logits, nil)
	} else {
		d := e.scratch(len(logits))
		f(indices, logits, d)
		h.back(c, values, d, indices, dx)
	}
	for _, v := range values {
		e.release(v)
	}
}

// back takes the gradient d of the logits through the head and adds what reaches
// its input to the rows of dx. It releases d.
func (h *logitsHead) back(c call, values [][]float32, d []float32, indices []int, dx []float32) {
	e := h.e
	for i := len(h.kernels) - 1; i >= 0; i-- {
		backward := c
		backward.in, backward.out = values[i:i+1], values[i+1:i+2]
		backward.dOut, backward.accumulate = [][]float32{d}, []bool{false}
		var dIn []float32
		if i > 0 || dx != nil {
			dIn = e.scratch(len(values[i]))
		}
		backward.dIn = [][]float32{dIn}
		if h.trainedFrom(i) || dIn != nil {
			h.kernels[i].backward(&backward)
		}
		e.release(d)
		d = dIn
	}
	if d == nil {
		return
	}
	for i, t := range indices {
		copy(dx[t*h.width:(t+1)*h.width], d[i*h.width:(i+1)*h.width])
	}
	e.release(d)
}

// trainedFrom reports whether kernel i has parameters of its own to train.
func (h *logitsHead) trainedFrom(i int) bool {
	for _, id := range graph.ParamsOf(h.e.g.Nodes[h.Nodes[i]].Op) {
		if h.e.g.Params[id].Trainable {
			return true
		}
	}
	return false
}

// crossEntropy turns logits into the gradient weight·(softmax − one-hot) in d and
// returns the log-probability of target.
func crossEntropy(logits, d []float32, target int32, weight float32) float64 {
	largest := vecmath.Largest(logits)
	sum := vecmath.ExpSum(d, logits, largest)
	vecmath.Scale(d, d, weight/float32(sum))
	d[target] -= weight
	return float64(logits[target]) - float64(largest) - math.Log(sum)
}

// logProb is the log-probability of target. Logits become garbage.
func logProb(logits []float32, target int32) float64 {
	chosen, largest := float64(logits[target]), vecmath.Largest(logits)
	return chosen - float64(largest) - math.Log(vecmath.ExpSum(logits, logits, largest))
}
