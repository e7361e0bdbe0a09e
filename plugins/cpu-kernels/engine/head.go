package engine

import (
	"math"

	"github.com/honeml/hone/plugins/cpu-kernels/vecmath"
	"github.com/honeml/hone/sdk/graph"
)

// A head is the end of a Graph: the linear that gives the logits and the
// element-wise expressions behind it. It runs a few rows at a time, forward,
// loss and backward, so that logits of a whole micro-batch, the largest values
// of a model by far, never exist.
type head struct {
	e       *Engine
	nodes   []int // the linear, then the maps
	kernels []kernel
	input   graph.ValueID // the linear's
	width   int           // of the input
}

// headBytes bounds the logits that exist at a time.
const headBytes = 32 << 20

// findHead finds the head of the Graph, nil where it does not end like that.
func (e *Engine) findHead(kernelOf []kernel) *head {
	uses := make([]int, len(e.g.Values))
	for _, n := range e.g.Nodes {
		for _, v := range n.Inputs {
			uses[v]++
		}
	}
	h := &head{e: e}
	for v := e.g.Logits; ; {
		if used := uses[v]; v == e.g.Logits && used != 0 || v != e.g.Logits && used != 1 {
			return nil
		}
		i := e.g.Values[v].Node
		n := e.g.Nodes[i]
		h.nodes = append([]int{i}, h.nodes...)
		h.kernels = append([]kernel{kernelOf[i]}, h.kernels...)
		switch n.Op.(type) {
		case *graph.Linear:
			h.input = n.Inputs[0]
			h.width = e.g.Values[h.input].Width
			return h
		case *graph.Map:
			if len(n.Inputs) != 1 {
				return nil
			}
			v = n.Inputs[0]
		default:
			return nil
		}
	}
}

// trunk is the Graph without the head, ending in the head's input, and the
// indices that its nodes have in the whole Graph.
func (h *head) trunk() (*graph.Graph, []int) {
	g := h.e.g
	inHead := map[int]bool{}
	for _, i := range h.nodes {
		inHead[i] = true
	}
	t := *g
	t.Nodes, t.Values = nil, make([]*graph.Value, len(g.Values))
	var kept []int
	for i, n := range g.Nodes {
		if inHead[i] {
			continue
		}
		for _, v := range n.Outputs {
			value := *g.Values[v]
			value.Node = len(t.Nodes)
			t.Values[v] = &value
		}
		t.Nodes = append(t.Nodes, n)
		kept = append(kept, i)
	}
	for v, value := range t.Values {
		if value == nil { // the head's own: never touched
			t.Values[v] = g.Values[v]
		}
	}
	t.Logits = h.input
	return &t, kept
}

// rowsAtATime is how many rows the head computes together.
func (h *head) rowsAtATime() int {
	return min(256, max(8, headBytes/(4*h.e.g.Vocabulary())))
}

// each computes the logits of the rows listed and gives them to f, some rows at
// a time: f gets the indices of these rows and their logits, [len, vocabulary],
// and where d is not nil leaves there the gradient of the logits, which is taken
// back to dx.
func (h *head) each(c call, x []float32, indices []int, dx []float32, f func(indices []int, logits, d []float32)) {
	step := h.rowsAtATime()
	for at := 0; at < len(indices); at += step {
		part := indices[at:min(len(indices), at+step)]
		h.some(c, x, part, dx, f)
	}
}

func (h *head) some(c call, x []float32, indices []int, dx []float32, f func([]int, []float32, []float32)) {
	e, n := h.e, len(indices)
	xs := e.scratch(n * h.width)
	for i, t := range indices {
		copy(xs[i*h.width:], x[t*h.width:(t+1)*h.width])
	}
	c.rows = c.rows.pick(indices)
	values := [][]float32{xs}
	for i, k := range h.kernels {
		y := e.scratch(n * e.g.Values[e.g.Nodes[h.nodes[i]].Outputs[0]].Width)
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
func (h *head) back(c call, values [][]float32, d []float32, indices []int, dx []float32) {
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
func (h *head) trainedFrom(i int) bool {
	for _, id := range graph.ParamsOf(h.e.g.Nodes[h.nodes[i]].Op) {
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
